"""How a workflow ends when it does not do what was asked. The API's one translator makes problems of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.platform.redis.rate_limits import RateState


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field. ``malformed`` faults make the answer 400, the others 422."""

    field: str
    reason: str
    pointer: str
    malformed: bool = False


class Outcome(Exception):
    """The base of all that a workflow ends with besides success."""


class Unauthorized(Outcome):
    """No key, or one that is unknown, expired or revoked."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MissingScope(Outcome):
    """A good key without the scope that the action needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


class NotAllowed(Outcome):
    """A good key, the right scope, and still not this account's business."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Outcome):
    """Nothing of this account's is there."""

    def __init__(self, detail: str = "The requested resource was not found.") -> None:
        super().__init__(detail)
        self.detail = detail


class Gone(Outcome):
    """It was there once, and its retention has passed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Conflict(Outcome):
    """The present state does not allow it."""

    def __init__(self, detail: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = dict(members or {})


class Unusable(Outcome):
    """The request's fields cannot be used; all faults at once."""

    def __init__(self, faults: Sequence[FieldFault], detail: str | None = None) -> None:
        super().__init__(detail or "; ".join(f"{f.field} {f.reason}" for f in faults))
        self.faults = tuple(faults)
        self.detail = detail


class RateExceeded(Outcome):
    """The key's limit for the API class."""

    def __init__(self, state: RateState, api_class: str) -> None:
        super().__init__(f"{state.limit} in {state.window_seconds} s")
        self.state, self.api_class = state, api_class


class Crowded(Outcome):
    """The account has as much under way at once as it may."""

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.detail, self.retry_after_seconds = detail, retry_after_seconds


class CannotDecide(Outcome):
    """A guardrail could not be evaluated; ``what`` names it for people, without secrets, ``cause`` for the figures."""

    def __init__(self, what: str, retry_after_seconds: int = 1, *, cause: str = "other") -> None:
        super().__init__(what)
        self.what, self.cause = what, cause
        self.detail = f"A guardrail could not be evaluated: {what}."
        self.retry_after_seconds = retry_after_seconds


class ArchiveUnavailable(CannotDecide):
    """A month that was moved into a file cannot be read: which file, and what is wrong with it."""

    def __init__(self, what: str) -> None:
        super().__init__(what, 60, cause="archive")
        self.detail = f"Decisions of that time are in the archive and cannot be read: {what}."
