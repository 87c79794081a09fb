"""What the console knows besides the services that every verb works with."""

from __future__ import annotations

from dataclasses import dataclass

from app.console.session_store import Sessions


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """Made once per process. ``secure``: people come by https, so that the cookie may travel by nothing else."""

    sessions: Sessions
    environment: str
    secure: bool
