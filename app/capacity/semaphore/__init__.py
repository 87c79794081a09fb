"""Channels, rate limits and caps: everything that Redis decides. Knows nothing of HTTP and Postgres."""

from app.capacity.semaphore.channel_semaphore import Semaphore
from app.capacity.semaphore.requests import (
    ANY_ATTEMPT,
    Admission,
    AdmitRequest,
    CapCount,
    CpsLimit,
    DailyLimit,
    HeldLease,
    KnownAttempt,
    Ledger,
    LiveLease,
    Rebuild,
    Reconciliation,
    Renewal,
    Scope,
    SnowshoeCount,
)

__all__ = [
    "ANY_ATTEMPT",
    "Admission",
    "AdmitRequest",
    "CapCount",
    "CpsLimit",
    "DailyLimit",
    "HeldLease",
    "KnownAttempt",
    "Ledger",
    "LiveLease",
    "Rebuild",
    "Reconciliation",
    "Renewal",
    "Scope",
    "Semaphore",
    "SnowshoeCount",
]
