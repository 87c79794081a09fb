"""The approved attempts to a number, read when somebody counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, overload

import orjson

from app.guardrail.facts import (
    Attempt,
)


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An approved attempt, with the id of its intent."""

    id: str
    type: str
    at_ms: int
    subject: str | None = None
    result: Any = None


class RecordedAttempts(Sequence[Attempt]):
    """The approved attempts to a number, read only when somebody counts them: most numbers are under no cap."""

    def __init__(self, stored: str | None) -> None:
        self._stored = stored

    @cached_property
    def known(self) -> tuple[KnownAttempt, ...]:
        """With the ids of their intents, as the semaphore merges them."""
        return tuple(
            KnownAttempt(i, t, us // 1000, about, end) for i, t, us, about, end in json_list(self._stored)
        )

    @cached_property
    def _attempts(self) -> tuple[Attempt, ...]:
        return tuple(
            Attempt("call" if a.type == "call" else "sms", at_us(a.at_ms * 1000), a.subject, a.result)
            for a in self.known
        )

    @overload
    def __getitem__(self, place: int) -> Attempt: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Attempt, ...]: ...
    def __getitem__(self, place: int | slice) -> Attempt | tuple[Attempt, ...]:
        return self._attempts[place]

    def __len__(self) -> int:
        return len(self._attempts)


def json_list(column: str | None) -> list[Any]:
    """The array of a column that holds one as JSON; empty where it holds nothing."""
    found = orjson.loads(column) if column else []
    return found if isinstance(found, list) else []


def at_us(microseconds: int) -> datetime:
    """The instant of microseconds since 1970."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
