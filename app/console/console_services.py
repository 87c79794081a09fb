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
    # What signs people in through an issuer, where there is one: see app.console.open_id.sign_in.OpenId.
    open_id: object | None = None
    issuer: str = ""
