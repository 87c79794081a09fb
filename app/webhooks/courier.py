"""Delivers events to webhooks, in every process, and to each webhook in one process at a time.

Who delivers holds the webhook's row for seconds and says so again while it works; the fence in the row grows with each
holder. Whoever was too slow finds another fence there, and nothing of what it has to say is written: then the events
are told once more, in the same order. So each is told at least once, and for the first time in its subject's order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app import telemetry
from app.events.store import place_for
from app.platform.postgres.database import PostgresUnavailable
from app.platform.stores import Stores
from app.webhooks import delivery_store as deliveries
from app.webhooks.delivery_store import Due, Hold, NotHeld
from app.webhooks.send_event import Sender
from app.webhooks.tell_batch import Batch, tell_batch
from app.webhooks.verdict import TRIED_FOR

log = logging.getLogger("callgate.webhooks")
T = TypeVar("T")
HELD_FOR = timedelta(seconds=10)
_SAID_AGAIN_SECONDS = 3.0
_MARGIN_SECONDS = 2.0  # before the end of the time nothing new is sent
_LOOKED_FOR_SECONDS = 0.5
PLACED_FOR_SECONDS = 1.0
_COUNTED_SECONDS = 15.0
_TURN_SECONDS = 20.0  # then others have their turn
_WEBHOOKS_AT_ONCE, _ASKED_AT_ONCE = 32, 3
_NEW_AT_ONCE, _AGAIN_AT_ONCE = 400, 64


class Courier:
    """Looks for what is to be told, and tells it."""

    def __init__(self, stores: Stores, sender: Sender, *, first_retry_seconds: float) -> None:
        self.sender = sender
        self._stores, self._first = stores, first_retry_seconds
        self._serving: dict[tuple[UUID, str], asyncio.Task[None]] = {}
        self._counted_at = -_COUNTED_SECONDS
        # The connections are the requests'; however much there is to tell, it takes no more than a few of them.
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._said_away = False

    async def watch(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    more = await self._look()
                    self._said_away = False
                    if more:
                        continue
                except PostgresUnavailable as error:
                    if not self._said_away:
                        log.warning("events wait for Postgres: %s", error)
                    self._said_away = True
                    await asyncio.sleep(_LOOKED_FOR_SECONDS)
                except Exception:
                    log.exception("looking for events to tell failed; it will be tried again")
                    await asyncio.sleep(_LOOKED_FOR_SECONDS)
                await asyncio.sleep(_LOOKED_FOR_SECONDS)
        finally:
            serving = list(self._serving.values())
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            await self.sender.close()

    async def _look(self) -> bool:
        """Whether there is more to be put in order: however much that is, what stands in order is told meanwhile."""
        more = await place_for(self._stores.database, PLACED_FOR_SECONDS)
        free = _WEBHOOKS_AT_ONCE - len(self._serving)
        if free > 0:
            due = await self._ask(
                lambda connection: deliveries.due_webhooks(connection, free), may_run_twice=True
            )
            for which in due:
                if which not in self._serving:
                    task = asyncio.create_task(self._serve(*which))
                    self._serving[which] = task
                    task.add_done_callback(lambda _, which=which: self._serving.pop(which, None))  # type: ignore[misc]
        if monotonic() - self._counted_at >= _COUNTED_SECONDS:
            self._counted_at = monotonic()
            telemetry.EVENTS_BACKLOG.set(await self._ask(deliveries.backlog, may_run_twice=True))
        return more

    async def _ask(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, may_run_twice: bool = False
    ) -> T:
        async with self._asking:
            return await self._stores.database.run(work, may_run_twice=may_run_twice)

    async def _serve(self, account_id: UUID, name: str) -> None:
        try:
            async with self._holding(account_id, name) as (held, holding):
                until = monotonic() + _TURN_SECONDS
                going: Hold | None = held
                while going is not None and monotonic() < until:
                    going = await self._batch(going, holding)
        except NotHeld:
            pass
        except PostgresUnavailable as error:
            log.warning("the events for the webhook %s wait for Postgres: %s", name, error)
        except Exception:
            log.exception("telling the webhook %s failed; it will be tried again", name)

    @asynccontextmanager
    async def _holding(self, account_id: UUID, name: str) -> AsyncIterator[tuple[Hold, _Holding]]:
        holding = _Holding()
        held = await self._ask(lambda connection: deliveries.hold(connection, account_id, name, HELD_FOR))
        if held is None:
            raise NotHeld
        saying_so = asyncio.create_task(self._say_so(held, holding))
        try:
            yield held, holding
        finally:
            saying_so.cancel()
            with contextlib.suppress(PostgresUnavailable):
                await self._ask(lambda connection: deliveries.let_go(connection, held))

    async def _say_so(self, held: Hold, holding: _Holding) -> None:
        while True:
            await asyncio.sleep(_SAID_AGAIN_SECONDS)
            asked_at = monotonic()
            with contextlib.suppress(PostgresUnavailable):
                if not await self._ask(lambda connection: deliveries.renew(connection, held, HELD_FOR)):
                    holding.ends_at = 0.0
                    return
                holding.ends_at = asked_at + HELD_FOR.total_seconds()

    async def _batch(self, held: Hold, holding: _Holding) -> Hold | None:
        """Tell what is due now; the webhook as it is then, or None when there is nothing more to do for now."""
        again = await self._ask(
            lambda connection: deliveries.due_again(connection, held, _AGAIN_AT_ONCE), may_run_twice=True
        )
        new = await self._ask(
            lambda connection: deliveries.new_events(
                connection, held, held.position, TRIED_FOR, _NEW_AT_ONCE
            ),
            may_run_twice=True,
        )
        if not again and not new:
            return None
        subjects = list({due.event.subject for due in new if due.event.type in held.events})
        blocked: set[str] = set()
        if subjects:
            async with self._asking, self._stores.database.begin() as connection:
                blocked = set(await deliveries.first_waiting(connection, held, subjects))
        batch = await self._tell(held, again, new, blocked, holding)
        await self._write_down(held, batch, holding)
        _count(batch)
        if batch.gone:
            log.warning("the webhook %s is switched off: its receiver answered 410 Gone", held.name)
        if batch.rest is not None or batch.gone or not holding.lasts():
            return None
        return replace(held, position=batch.position, failures=batch.failures)

    async def _write_down(self, held: Hold, batch: Batch, holding: _Holding) -> None:
        """What is not written down is sent once more, so a Postgres that was away for a moment is asked again."""
        while True:
            try:
                async with self._asking, self._stores.database.begin() as connection:
                    return await deliveries.write_down(
                        connection,
                        held,
                        batch.results,
                        position=batch.position,
                        failures=batch.failures,
                        error=batch.error,
                        rest=batch.rest,
                        gone=batch.gone,
                        tried_for=TRIED_FOR,
                    )
            except PostgresUnavailable:
                if not holding.lasts():
                    raise
                await asyncio.sleep(_LOOKED_FOR_SECONDS)

    async def _tell(
        self, held: Hold, again: list[Due], new: list[Due], blocked: set[str], holding: _Holding
    ) -> Batch:
        return await tell_batch(
            self.sender,
            held,
            again,
            new,
            blocked,
            first_seconds=self._first,
            now=self._stores.now,
            holds=holding.lasts,
        )


class _Holding:
    """How long a webhook is certainly held, on the monotonic clock."""

    def __init__(self) -> None:
        self.ends_at = monotonic() + HELD_FOR.total_seconds()

    def lasts(self) -> bool:
        """Whether something new may be sent."""
        return monotonic() < self.ends_at - _MARGIN_SECONDS


def _count(batch: Batch) -> None:
    for result in batch.results:
        if result.status == "delivered":
            telemetry.EVENTS_DELIVERED.inc()
        elif result.status == "dead":
            telemetry.EVENTS_DEAD.inc()
        if result.tried and result.status != "delivered":
            telemetry.EVENTS_FAILED.inc()
