"""The channel guardrail's answer: whether a channel was free, at the rate that is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from app.guardrail.refusals import Check, Violation


@dataclass(frozen=True, slots=True)
class ChannelResult(Check):
    """What had nothing left: ``scope`` is a pool, the account, a campaign or a sender."""

    scope: str | None
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class NoChannel(Violation):
    """What had nothing left, and the seconds after which it is worth another try."""

    scope: str | None
    limit: int
    used: int
    retry_after: int
