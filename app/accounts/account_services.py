"""What a request needs before anything is decided: the stores, whose key it is, and the key's rate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.accounts.authenticate import Caller
from app.accounts.key_store import Key, gather_keys
from app.platform.postgres.database import PostgresUnavailable
from app.platform.postgres.request_batcher import RequestBatcher
from app.platform.redis.rate_limits import RateSpend, RateState
from app.platform.stores import Stores
from app.telemetry import note


@dataclass(frozen=True, slots=True)
class ClassLimit:
    """The rate limit of one API class, per key."""

    limit: int
    window_seconds: int


class RateLimiter(Protocol):
    """Who counts the requests of a key."""

    async def spend(self, spend: RateSpend) -> RateState:
        """Count one request. Raises RedisUnavailable."""


@dataclass(slots=True, kw_only=True)
class AccountServices(Stores):
    """Knows whose key it is, at every request anew, and how often it may ask."""

    rate_limiter: RateLimiter
    class_limits: Mapping[str, ClassLimit]
    keys: RequestBatcher[bytes, Key | None] = field(init=False)
    # In which hour each key was last seen here, and what of that is not written yet.
    key_uses: dict[uuid.UUID, datetime] = field(default_factory=dict)
    unwritten_uses: dict[uuid.UUID, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = RequestBatcher(self._gather_keys, fatal_errors=(PostgresUnavailable,))

    def note_use(self, caller: Caller, now: datetime) -> None:
        """The key was used. It is written behind the answer, once an hour, by whoever tidies."""
        note("key", caller.key_id)
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self.key_uses.get(caller.key_id) != hour:
            self.key_uses[caller.key_id] = self.unwritten_uses[caller.key_id] = hour

    def rate(self, caller: Caller, api_class: str) -> RateSpend:
        """One request of the caller's key, to be counted."""
        limit = self.class_limits[api_class]
        return RateSpend(
            str(caller.key_id), api_class, limit.limit, limit.window_seconds, str(caller.account_id)
        )

    async def _gather_keys(self, hashes: Sequence[bytes]) -> Sequence[Key | Exception | None]:
        return await gather_keys(self.database, hashes)
