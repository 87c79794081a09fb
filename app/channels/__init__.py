"""Channels, rate limits and caps: everything that Redis decides. Knows nothing of HTTP and Postgres."""

from app.channels.requests import (
    ANY_TRY,
    Admission,
    AdmitRequest,
    CapCount,
    KnownAttempt,
    Ledger,
    LiveLease,
    Pace,
    Quota,
    RateSpend,
    RateState,
    Rebuild,
    Reconciliation,
    RedisUnavailable,
    Renewal,
    Scope,
    Spread,
)
from app.channels.semaphore import Semaphore

__all__ = [
    "ANY_TRY",
    "Admission",
    "AdmitRequest",
    "CapCount",
    "KnownAttempt",
    "Ledger",
    "LiveLease",
    "Pace",
    "Quota",
    "RateSpend",
    "RateState",
    "Rebuild",
    "Reconciliation",
    "RedisUnavailable",
    "Renewal",
    "Scope",
    "Semaphore",
    "Spread",
]
