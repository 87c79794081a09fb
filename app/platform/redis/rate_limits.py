"""A key's rate limit: what is counted, and what is left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateSpend:
    """One request of a key in an API class: at most ``limit`` in any ``window_seconds``."""

    key_id: str
    api_class: str
    limit: int
    window_seconds: int
    account_id: str  # names the slot, so that the spending travels in the same script as the decision


@dataclass(frozen=True, slots=True)
class RateState:
    """What is left of a rate limit. ``reset_seconds``: when at least one more request will be allowed."""

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int
    exceeded: bool
