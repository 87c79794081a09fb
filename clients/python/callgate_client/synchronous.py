"""The client for threads: the asynchronous one on a loop of its own, which also renews the leases of all calls."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, Self, TypeVar

import httpx

from callgate_client.approved import Approval, Call, Result
from callgate_client.asking import check_key
from callgate_client.asynchronous import LEASE_SECONDS, PATIENCE_SECONDS, AsyncCallgate, Purpose
from callgate_client.errors import Unavailable
from callgate_client.models import PreviewDocument, RecipientBody

T = TypeVar("T")
# Loops of a parent process, which a fork must neither use nor close.
_LEFT_IN_PARENTS: list[_Running] = []


class Callgate:
    """One key on one Callgate, for any number of threads. After a fork the child has connections of its own.

    ``patience`` is for how many seconds a question is asked again after 429, 503 or no answer; each call may say
    another. ``timeout`` seconds are what a single try may take. ``transport`` is httpx's asynchronous one, for a
    proxy, a CA or a client certificate of one's own.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: float = PATIENCE_SECONDS,
        timeout: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        check_key(key)
        self._made = (url, key, patience, timeout, transport)
        self._starting = threading.Lock()
        self._running: _Running | None = None

    @contextmanager
    def call(
        self,
        *,
        to: str,
        from_: str,
        purpose: Purpose | None = None,
        campaign: str | None = None,
        subject: str | None = None,
        recipient: RecipientBody | None = None,
        consent: Mapping[str, object] | None = None,
        pool: str | None = None,
        voice_type: Literal["live", "prerecorded", "artificial"] | None = None,
        max_duration: int = LEASE_SECONDS,
        renew_every: float | None = None,
        patience: float | None = None,
    ) -> Iterator[Call]:
        """``with gate.call(…) as call:``: a channel that is held as long as the block runs.

        The lease lasts ``max_duration`` seconds and is renewed every ``renew_every``, half of it by default, so that
        the channel of a caller that dies is back within two minutes. Raises Refused, Faulty or Unavailable at the
        block's beginning, and NotTold at its end where an outcome could not be told.
        """
        loop = self._loop()
        held = loop.gate.call(
            to=to, from_=from_, purpose=purpose, campaign=campaign, subject=subject, recipient=recipient,
            consent=consent, pool=pool, voice_type=voice_type, max_duration=max_duration,
            renew_every=renew_every, patience=patience,
        )  # fmt: skip
        call = loop.wait(held.__aenter__())
        try:
            yield call
        except BaseException as error:
            loop.wait(held.__aexit__(type(error), error, error.__traceback__))
            raise
        loop.wait(held.__aexit__(None, None, None))

    def sms(
        self,
        *,
        to: str,
        from_: str,
        body: str,
        first_contact: bool | None = None,
        purpose: Purpose | None = None,
        campaign: str | None = None,
        subject: str | None = None,
        recipient: RecipientBody | None = None,
        consent: Mapping[str, object] | None = None,
        patience: float | None = None,
    ) -> Approval:
        """The approval of a text. Raises Refused, Faulty or Unavailable: then do not send it."""
        loop = self._loop()
        return loop.wait(
            loop.gate.sms(
                to=to, from_=from_, body=body, first_contact=first_contact, purpose=purpose,
                campaign=campaign, subject=subject, recipient=recipient, consent=consent, patience=patience,
            )
        )  # fmt: skip

    def approve(self, intent: Mapping[str, Any], *, patience: float | None = None) -> Approval:
        """The approval of an intent as the API describes it, for who keeps the lease otherwise than with a block."""
        loop = self._loop()
        return loop.wait(loop.gate.approve(intent, patience=patience))

    def preview(
        self, intent: Mapping[str, Any], *, at: str | None = None, patience: float | None = None
    ) -> PreviewDocument:
        """What would be decided now, or at an instant. It is no approval, takes nothing and records nothing."""
        loop = self._loop()
        return loop.wait(loop.gate.preview(intent, at=at, patience=patience))

    def outcome(
        self,
        intent_id: str,
        result: Result,
        *,
        ring_seconds: float | None = None,
        talk_seconds: float | None = None,
        asked_not_to_be_called: bool = False,
    ) -> None:
        """How an approved call or text ended. May be told again, or corrected, for a day. Raises NotTold."""
        loop = self._loop()
        loop.wait(
            loop.gate.outcome(
                intent_id, result, ring_seconds=ring_seconds, talk_seconds=talk_seconds,
                asked_not_to_be_called=asked_not_to_be_called,
            )
        )  # fmt: skip

    def renew(self, lease_id: str, seconds: int, *, patience: float = 0.0) -> datetime:
        """Moves the lease's end by so many seconds; the new end. Raises Faulty (409) when the lease is over."""
        loop = self._loop()
        return loop.wait(loop.gate.renew(lease_id, seconds, patience=patience))

    def release(self, lease_id: str) -> None:
        """Gives the channel back, once or again."""
        loop = self._loop()
        loop.wait(loop.gate.release(lease_id))

    def close(self) -> None:
        """Ends the connections and the thread. Calls whose block runs are no longer renewed."""
        with self._starting:
            running, self._running = self._running, None
        if running is not None and running.process == os.getpid():
            running.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _loop(self) -> _Running:
        """The loop of this process, begun when it is first wanted: a fork has none of its parent's threads."""
        running = self._running
        if running is None or running.process != os.getpid():
            with self._starting:
                running = self._running
                if running is None or running.process != os.getpid():
                    if running is not None:
                        _LEFT_IN_PARENTS.append(running)
                    self._running = running = _Running(*self._made)
        return running


class _Running:
    """A loop in a thread, and the client on it. A process that ends does not wait for it."""

    def __init__(
        self,
        url: str,
        key: str,
        patience: float,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.process = os.getpid()
        self.waited: set[concurrent.futures.Future[Any]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="callgate-client", daemon=True)
        self.thread.start()
        self.gate = AsyncCallgate(url, key, patience=patience, timeout=timeout, transport=transport)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the loop makes of it. A caller that is interrupted takes its question back."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        self.waited.add(future)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Unavailable("the client was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise
        finally:
            self.waited.discard(future)

    def stop(self) -> None:
        """Takes back what other threads still ask, ends the connections, then the loop."""
        for future in list(self.waited):
            future.cancel()
        self.wait(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _end(self) -> None:
        await self.gate.aclose()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
