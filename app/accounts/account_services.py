"""What a request needs before anything is decided: the stores, whose key it is, and the key's rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.accounts.authenticate import Caller
from app.accounts.key_store import Key, gather_keys
from app.platform.postgres.database import PostgresUnavailable
from app.platform.postgres.request_batcher import RequestBatcher
from app.platform.redis.rate_limits import RateSpend, RateState
from app.platform.stores import Stores


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

    def __post_init__(self) -> None:
        self.keys = RequestBatcher(self._gather_keys, fatal_errors=(PostgresUnavailable,))

    def rate(self, caller: Caller, api_class: str) -> RateSpend:
        """One request of the caller's key, to be counted."""
        limit = self.class_limits[api_class]
        return RateSpend(
            str(caller.key_id), api_class, limit.limit, limit.window_seconds, str(caller.account_id)
        )

    async def _gather_keys(self, hashes: Sequence[bytes]) -> Sequence[Key | Exception | None]:
        return await gather_keys(self.database, hashes)
