"""What is asked of the channel semaphore and what it answers: plain values.

Instants are ms since the Unix epoch, durations carry their unit in the name. A scope, pace or cap is named by
its caller; the name comes back in ``Admission.refused``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from app.platform.redis.rate_limits import RateSpend, RateState

AttemptType = Literal["call", "sms"]
AdmissionStatus = Literal[
    "admitted", "rate_limited", "capped", "spread", "full", "rate_exceeded", "stale", "ended"
]
RenewalStatus = Literal["renewed", "expired", "unknown", "at_hard_end"]

LONGEST_LEASE_MS = 6 * 24 * 3600 * 1000  # every key outlives the longest lease; see clocks.lua


@dataclass(frozen=True, slots=True)
class Scope:
    """Channels of ``pool:default``, ``account`` or ``campaign:NAME``. Admits while below limit - reserve."""

    name: str
    limit: int
    reserve: int = 0


@dataclass(frozen=True, slots=True)
class CpsLimit:
    """A GCRA: ``per_second`` on average, ``burst`` at once (1 or more)."""

    name: str
    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """At most ``limit`` admissions in any ``window_seconds``, where a GCRA would allow nearly twice that."""

    name: str
    limit: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class CapCount:
    """At most ``max`` attempts of the types in ``counts`` after ``since_ms`` (exclusive) to one destination.

    ``period_ms`` is how long an attempt counts; for a rolling cap ``since_ms`` is the caller's now less it.
    """

    id: str
    max: int
    since_ms: int
    counts: tuple[str, ...]
    period_ms: int
    per_subject: bool = False  # what is about another subject than the intent's does not count
    by_result: bool = False  # what the ledger knows to have ended otherwise does not count


@dataclass(frozen=True, slots=True)
class SnowshoeCount:
    """One text among those of the account's last ``window_seconds``, to be counted when it is admitted.

    ``digest`` is hex, the same for texts that a reader takes for the same. With ``refuse`` a sender more than
    ``senders``, or any number once about ``numbers`` were reached, is refused; else nothing is.
    """

    digest: str
    sender: str
    senders: int
    numbers: int
    window_seconds: int
    refuse: bool


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt to the destination that the ledger has on record."""

    id: str
    type: str
    at_ms: int
    subject: str | None = None  # None: counts for every subject
    uncounted: tuple[int, ...] = ()  # places of the request's caps under which its end is known not to count


ANY_ATTEMPT = "-"


@dataclass(frozen=True, slots=True)
class AdmitRequest:
    """One intent at its last gate.

    ``now_ms`` is the caller's clock, ``epoch`` and ``known_fence`` what the ledger said when the facts were
    gathered. ``hard_end_ms`` (0: four hours and a minute from now) is where renewals end. No ``scopes``: an
    SMS, which holds no channel. A destination without ``caps`` is not remembered. ``attempt_token`` (no spaces) tells
    apart the tries of one intent where there may be several, see ``Semaphore.withdraw``.
    """

    account_id: str
    intent_id: str
    now_ms: int
    epoch: int
    known_fence: int
    rate: RateSpend | None
    scopes: tuple[Scope, ...]
    ttl_ms: int
    hard_end_ms: int
    paces: tuple[CpsLimit, ...]
    destination: str
    attempt_type: AttemptType
    caps: tuple[CapCount, ...]
    known_attempts: tuple[KnownAttempt, ...]
    quotas: tuple[DailyLimit, ...] = ()
    attempt_token: str = ANY_ATTEMPT
    spread: SnowshoeCount | None = None
    subject: str | None = None  # None: everything counts, and the attempt counts for every subject
    at_once: bool = False  # not kept from a free channel by those who have waited for it, and not among them


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer. ``refused`` names the scope, pace, quota or cap, with its ``limit`` and what is ``used``.

    ``stale``: the facts are of another epoch, or Redis has just been rebuilt: gather them again and ask once
    more. ``ended``: this intent held a channel once and gave it back, or lost it by expiry.
    ``fence`` grows with every admission of the account, over all epochs; the ledger keeps the highest.
    ``in_use`` and ``capacity`` are the first scope's. ``free_at_ms``: when the same intent would pass if
    nothing else changed, where that can be told. ``senders`` and ``numbers``: how far the text is spread, this
    intent counted; 0 where no text was asked about. ``spread``: refused by it. ``kept``: what is free of the full
    scope is for those who have waited longer and are about to come.
    """

    status: AdmissionStatus
    rate: RateState | None
    replayed: bool = False
    expires_at_ms: int = 0
    fence: int = 0
    epoch: int = 0
    in_use: int = 0
    capacity: int = 0
    refused: str | None = None
    limit: int = 0
    used: int = 0
    retry_after_seconds: int = 0
    free_at_ms: int | None = None
    senders: int = 0
    numbers: int = 0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """``expires_at_ms`` is the lease's end after the renewal, or the end it had (0 where none is known).

    ``fence`` and ``epoch`` are the renewal's own, for the ledger: in another epoch it does not count any more.
    """

    status: RenewalStatus
    expires_at_ms: int
    fence: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease that is held now."""

    id: str
    scopes: tuple[str, ...]
    acquired_at_ms: int
    expires_at_ms: int
    hard_end_ms: int
    fence: int
    epoch: int = field(default=0, compare=False)  # of the account in Redis when this was read


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """``released``: leases the switch does not carry. ``unknown``: ids it carries that hold no channel."""

    released: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LiveLease:
    """A lease as the ledger knows it. ``acquired_at_ms`` 0: older than any list of a switch."""

    id: str
    scopes: tuple[str, ...]
    expires_at_ms: int
    hard_end_ms: int
    acquired_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A new epoch and every lease that is live in it."""

    epoch: int
    leases: tuple[LiveLease, ...]


class Ledger(Protocol):
    """Postgres, as the semaphore sees it when Redis has lost its memory."""

    async def open_epoch(self, account_id: str) -> Rebuild:
        """Opens and commits a new epoch of the account and reads its live leases, under an exclusive lock.

        From that commit on no decision of an older epoch may be committed.
        """
        ...  # pragma: no cover

    async def outgrow(self, account_id: str, above: int, held: Sequence[LiveLease]) -> Rebuild | None:
        """As open_epoch, for a ledger whose epoch is below ``above``, Redis's: it came back older than it was.

        Opens the epoch after ``above``, with the leases that it has forgotten put back: ``held`` is what Redis
        holds. What it knows to have ended stays ended. None when the ledger is not behind.
        """
        ...  # pragma: no cover
