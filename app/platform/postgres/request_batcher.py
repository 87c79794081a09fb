"""Many callers, one statement: what arrives while a statement is under way goes together in the next.

A lone request is sent at the end of the event loop's turn, so it waits for nothing. Under load the batch grows
by itself and the cost of a round trip is shared, which is what keeps a decision at one round trip *or less*. A
second statement leaves beside the first only when that has been away for longer than is usual: many small batches
would cost more than they save.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Overloaded(Exception):
    """More is waiting than can be answered in time."""


class RequestBatcher(Generic[A, R]):
    """Gathers single items into batches for ``answer``, which gets a list and answers one result per item.

    A result that is an exception is raised to its own caller alone. An exception raised by ``answer`` reaches
    every caller of that batch, and if it is one of ``fatal_errors``, every caller who waits behind it as well: they
    would only learn the same after as long a wait of their own.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]],
        *,
        max_batch: int = 128,
        max_in_flight: int = 2,
        max_waiting: int = 4096,
        patience_seconds: float = 0.005,
        fatal_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._answer = answer
        self._max_batch = max_batch
        self._max_flights = max_in_flight
        self._max_waiting = max_waiting
        self._patience_seconds = patience_seconds
        self._hopeless = fatal_errors
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._departure: asyncio.Handle | None = None

    async def ask(self, item: A) -> R:
        """The answer to one item. Raises what ``answer`` raises, and Overloaded."""
        if len(self._waiting) >= self._max_waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        self._arrange()
        return await future

    def _arrange(self) -> None:
        """See to it that those who wait leave: at the end of this turn, or after a while if others are away."""
        if self._departure is not None or len(self._flights) >= self._max_flights:
            return
        loop = asyncio.get_running_loop()
        if not self._flights or len(self._waiting) >= self._max_batch:
            self._departure = loop.call_soon(self._depart)
        else:
            self._departure = loop.call_later(self._patience_seconds, self._depart)

    def _depart(self) -> None:
        self._departure = None
        # Who has left is not asked for: what is sent now would be done for nobody.
        self._waiting = [(item, future) for item, future in self._waiting if not future.done()]
        if not self._waiting:
            return
        batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
        send_task = asyncio.get_running_loop().create_task(self._fly(batch))
        self._flights.add(send_task)
        send_task.add_done_callback(self._landed)
        if self._waiting:
            self._arrange()

    def _landed(self, send_task: asyncio.Task[None]) -> None:
        self._flights.discard(send_task)
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        if self._waiting:
            if self._flights:
                self._arrange()
            else:
                self._depart()

    async def _fly(self, batch: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            results = await self._answer([item for item, _ in batch])
        except BaseException as error:
            if isinstance(error, self._hopeless):
                batch, self._waiting = batch + self._waiting, []
            elif isinstance(error, Exception) and len(batch) > 1:
                await self._apart(batch)
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
            return
        self._settle(batch, results)

    async def _apart(self, batch: list[tuple[A, asyncio.Future[R]]]) -> None:
        """Each by itself: whatever is wrong with one item is no matter of those who travelled with it."""
        for item, future in batch:
            if not future.done():
                await self._fly([(item, future)])

    def _settle(self, batch: list[tuple[A, asyncio.Future[R]]], results: Sequence[R | Exception]) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
