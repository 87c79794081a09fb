"""Why there is no approval, in four kinds. All but NotTold are NotApproved: whoever catches that one never dials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class CallgateError(Exception):
    """Anything that this package raises by itself."""


class NotApproved(CallgateError):
    """There is no approval. Do not dial, do not send."""


class _Problem(NotApproved):
    """Callgate answered with a problem document, kept whole in ``problem``."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem['code']}: {problem['detail']}")
        self.problem: Mapping[str, Any] = problem
        self.status = int(problem["status"])
        self.code = str(problem["code"])
        self.detail = str(problem["detail"])
        self.instance = str(problem.get("instance", ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problem,)


class Refused(_Problem):
    """A guardrail said no, or there was no channel within the caller's patience.

    ``violations`` holds every reason, ``next_allowed_at`` when the same intent would pass (an aware datetime; None
    where nobody can tell), ``retry_after`` the seconds after which to ask again (429 alone), ``intent_id`` the decision
    on record.
    """

    @property
    def violations(self) -> list[Mapping[str, Any]]:
        """Every guardrail that refused, in order of precedence."""
        return _documents(self.problem.get("violations"))

    @property
    def reasons(self) -> list[str]:
        """What each violation says, for people."""
        return [str(each.get("detail", "")) for each in self.violations] or [self.detail]

    @property
    def next_allowed_at(self) -> datetime | None:
        """When to try again, under a new attempt. None where no instant is known."""
        told = self.problem.get("next_allowed_at")
        try:
            moment = datetime.fromisoformat(told) if isinstance(told, str) else None
        except ValueError:
            return None
        return moment if moment is not None and moment.tzinfo is not None else None

    @property
    def retry_after(self) -> int | None:
        """Seconds, of a full pool or a pace."""
        told = self.problem.get("retry_after")
        return told if isinstance(told, int) else None

    @property
    def intent_id(self) -> str | None:
        """The decision on record, for `GET /v1/intents/{id}`."""
        told = self.problem.get("intent_id")
        return told if isinstance(told, str) else None


class Faulty(_Problem):
    """The request or the key is at fault: asking again will not help. ``errors`` names every field."""

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """One ``{field, reason, pointer}`` a fault."""
        return _documents(self.problem.get("errors"))


def _documents(told: object) -> list[Mapping[str, Any]]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


class Unavailable(NotApproved):
    """Nobody could decide: no answer in time, 503, or an answer that is not to be understood."""


class NotTold(CallgateError):
    """The call is over, and how it ended could not be told; its channel comes back when the lease ends.

    ``result`` and ``details`` may be told again for a day with ``gate.outcome(error.intent_id, error.result,
    **error.details)``. Do so where the person asked not to be called.
    """

    def __init__(self, intent_id: str, result: str, details: Mapping[str, Any], why: str) -> None:
        super().__init__(f"the outcome {result} of {intent_id} was not taken: {why}")
        self.intent_id, self.result, self.details, self.why = intent_id, result, dict(details), why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.intent_id, self.result, self.details, self.why)
