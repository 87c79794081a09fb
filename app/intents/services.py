"""Everything that the workflows work with, made once per process and handed to each of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Literal

from app.accounts.authenticate import Caller
from app.capacity.semaphore import Semaphore
from app.content import ContentScanner
from app.intents.facts_store import Ask, Gathered, Key, gather, gather_keys
from app.intents.store import Decision, Recorded, record
from app.law.window_rules import WindowRules
from app.numbering import NumberLocator
from app.platform.clocks import Clocks
from app.platform.idempotency.store import Claimed
from app.platform.jobs.store import Job
from app.platform.jobs.stream_places import Places
from app.platform.postgres.database import EXPORTS_AT_ONCE, LISTS_AT_ONCE, Database, PostgresUnavailable
from app.platform.postgres.request_batcher import RequestBatcher
from app.platform.redis.rate_limits import RateSpend


@dataclass(frozen=True, slots=True)
class ClassLimit:
    """The rate limit of one API class, per key."""

    limit: int
    window_seconds: int


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules and tables: read once, before the processes part, and never changed."""

    scanner: ContentScanner
    window_rules: WindowRules
    number_locator: NumberLocator
    versions: Mapping[str, str]


# What is left to do about an approval that was not answered, see app.intents.upkeep.compensation.
CompensationAction = Literal["withdraw", "void", "look"]


@dataclass(frozen=True, slots=True)
class PendingCompensation:
    """An approval that may have taken a channel and was not answered. ``claim``: to be given up first, if any."""

    undo: CompensationAction
    account_id: uuid.UUID
    intent_id: uuid.UUID
    number: str
    attempt_token: str
    claim: Claimed | None = None


@dataclass(slots=True)
class Services:
    """The stores, the knowledge and the few values of the settings that decisions depend on."""

    database: Database
    semaphore: Semaphore
    rule_set: RuleSet
    class_limits: Mapping[str, ClassLimit]
    default_capacity: int
    retention_days: int
    clocks: Clocks = field(default_factory=Clocks)
    # Approvals that were not answered, and when (on the loop's clock, 0: not yet) each was first looked at.
    pending: dict[PendingCompensation, float] = field(default_factory=dict)
    # Lists that are being taken in, each as a job.
    jobs: set[asyncio.Task[Job]] = field(default_factory=set)
    # What holds a connection for as long as its caller takes to send or to read, and what only needs one at times.
    lists: Places = field(default_factory=lambda: Places("lists to take in", LISTS_AT_ONCE, 2))
    exports: Places = field(default_factory=lambda: Places("exports", EXPORTS_AT_ONCE, 2))
    scrubs: Places = field(default_factory=lambda: Places("scrubs", 16, 4))
    # What the log said of the registries last, see app.intents.upkeep.watch_registries.
    registry_warnings: frozenset[str] = frozenset()
    keys: RequestBatcher[bytes, Key | None] = field(init=False)
    facts: RequestBatcher[Ask, Gathered] = field(init=False)
    ledger: RequestBatcher[Decision, Recorded] = field(init=False)

    def __post_init__(self) -> None:
        away = (PostgresUnavailable,)
        self.keys = RequestBatcher(self._gather_keys, fatal_errors=away)
        self.facts = RequestBatcher(self._gather, fatal_errors=away)
        self.ledger = RequestBatcher(self._record, max_in_flight=3, fatal_errors=away)

    def now(self) -> datetime:
        """The clock, read once per request. Postgres's, where this process's is known to be wrong."""
        return self.clocks.now()

    def rate(self, caller: Caller, api_class: str) -> RateSpend:
        """One request of the caller's key, to be counted."""
        limit = self.class_limits[api_class]
        return RateSpend(
            str(caller.key_id), api_class, limit.limit, limit.window_seconds, str(caller.account_id)
        )

    async def _gather_keys(self, hashes: Sequence[bytes]) -> Sequence[Key | Exception | None]:
        return await gather_keys(self.database, hashes)

    async def _gather(self, asks: Sequence[Ask]) -> Sequence[Gathered | Exception]:
        asked_at = monotonic()
        found = await gather(self.database, asks, self.now())
        told = found[0].read_at
        if told is not None:
            self.clocks.learn(told, asked_at, monotonic())
        # Asked at the same time as the facts, so that nothing is judged by a clock that has been set meanwhile.
        self.clocks.refuse_if_off()
        return found

    async def _record(self, decisions: Sequence[Decision]) -> Sequence[Recorded | Exception]:
        try:
            return await record(self.database, decisions)
        except PostgresUnavailable:
            raise
        except Exception as error:
            if len(decisions) == 1:
                return [error]
        # One row that Postgres will not take must not take its neighbours down with it.
        return [(await self._record([decision]))[0] for decision in decisions]
