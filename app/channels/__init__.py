"""Channels, rate limits and caps: everything that Redis decides. Knows nothing of HTTP and Postgres."""

from app.channels.requests import (
    ANY_TRY,
    Admission,
    AdmitRequest,
    CapCount,
    HeldLease,
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
)
from app.channels.semaphore import Semaphore

__all__ = [
    "ANY_TRY",
    "Admission",
    "AdmitRequest",
    "CapCount",
    "HeldLease",
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
]
