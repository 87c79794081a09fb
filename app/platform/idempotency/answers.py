"""An answer as an Idempotency-Key keeps it, and whose request it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.platform.redis.rate_limits import RateState


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision as it will be answered. ``headers`` hold only what belongs to the decision itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    rate: RateState | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """Who asks, and under which Idempotency-Key if any."""

    key_hash: bytes
    idempotency_key: str | None = None
    request_hash: bytes = b""
