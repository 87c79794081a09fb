"""The client for asyncio. The synchronous one is this one on a loop of its own."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Coroutine, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import quote

import httpx

from callgate_client.approved import Approval, Call, Result, details_of
from callgate_client.asking import Asker
from callgate_client.errors import CallgateError, Faulty, NotApproved, NotTold
from callgate_client.models import PreviewDocument, RecipientBody
from callgate_client.reading import Answer, Garbled, approval_of, document_of, instant_of

Purpose = Literal["marketing", "informational", "emergency"]
log = logging.getLogger("callgate_client")
LEASE_SECONDS = 120
PATIENCE_SECONDS = 10.0
# After a call nobody waits for a channel: what is told then may take longer, and is worth it.
TELL_SECONDS = 20.0
RENEW_AGAIN_SECONDS = 2.0
_LONGEST_RENEWAL = 14_400


class AsyncCallgate:
    """One key on one Callgate, for any number of tasks of one loop.

    ``patience`` is for how many seconds a question is asked again after 429, 503 or no answer; each call may say
    another. ``timeout`` seconds are what a single try may take. ``transport`` is httpx's, for a proxy, a CA or a
    client certificate of one's own.
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
        self.patience = patience
        self._asker = Asker(url, key, timeout, transport)
        self._later: set[asyncio.Task[None]] = set()

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
    ) -> Held:
        """``async with gate.call(…) as call:``: a channel that is held as long as the block runs.

        The lease lasts ``max_duration`` seconds and is renewed every ``renew_every``, half of it by default, so that
        the channel of a caller that dies is back within two minutes. Raises Refused, Faulty or Unavailable at the
        block's beginning, and NotTold at its end where an outcome could not be told.
        """
        intent = _without_none(
            type="call", to=to, purpose=purpose, campaign=campaign, subject=subject, recipient=recipient,
            consent=consent, pool=pool, voice_type=voice_type, max_duration=max_duration,
        ) | {"from": from_}  # fmt: skip
        return Held(self, intent, max_duration / 2 if renew_every is None else renew_every, patience)

    async def sms(
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
        intent = _without_none(
            type="sms", to=to, body=body, first_contact=first_contact, purpose=purpose, campaign=campaign,
            subject=subject, recipient=recipient, consent=consent,
        ) | {"from": from_}  # fmt: skip
        return await self.approve(intent, patience=patience)

    async def approve(self, intent: Mapping[str, Any], *, patience: float | None = None) -> Approval:
        """The approval of an intent as the API describes it, for who keeps the lease otherwise than with a block.

        One attempt: its Idempotency-Key is made here and kept over all tries.
        """
        if intent.get("type") not in ("call", "sms") or not {"to", "from"} <= intent.keys():
            raise ValueError("an intent has type call or sms, to and from")
        document = await self._asker.ask(
            "POST", "/v1/intents", intent, lambda answer: approval_of(answer, intent),
            patience=self.patience if patience is None else patience, key=str(uuid.uuid4()),
        )  # fmt: skip
        return Approval(document)

    async def preview(
        self, intent: Mapping[str, Any], *, at: str | None = None, patience: float | None = None
    ) -> PreviewDocument:
        """What would be decided now, or at an instant. It is no approval, takes nothing and records nothing."""
        document = await self._asker.ask(
            "POST", "/v1/intents/preview", {**intent, **_without_none(at=at)}, _document,
            patience=self.patience if patience is None else patience,
        )  # fmt: skip
        return cast(PreviewDocument, document)

    async def outcome(
        self,
        intent_id: str,
        result: Result,
        *,
        ring_seconds: float | None = None,
        talk_seconds: float | None = None,
        asked_not_to_be_called: bool = False,
    ) -> None:
        """How an approved call or text ended. May be told again, or corrected, for a day. Raises NotTold."""
        details = details_of(ring_seconds, talk_seconds, asked_not_to_be_called)
        try:
            await self._asker.ask(
                "POST", f"/v1/intents/{_word(intent_id)}/outcome", {"result": result, **details}, _document,
                patience=TELL_SECONDS,
            )  # fmt: skip
        except NotApproved as error:
            raise NotTold(intent_id, result, details, str(error)) from error

    async def renew(self, lease_id: str, seconds: int, *, patience: float = 0.0) -> datetime:
        """Moves the lease's end by so many seconds; the new end. Raises Faulty (409) when the lease is over."""
        return await self._asker.ask(
            "POST", f"/v1/leases/{_word(lease_id)}/renew", {"extend_by": seconds}, _end, patience=patience
        )

    async def release(self, lease_id: str) -> None:
        """Gives the channel back, once or again."""
        await self._asker.ask(
            "DELETE", f"/v1/leases/{_word(lease_id)}", None, _nothing, patience=TELL_SECONDS
        )

    async def aclose(self) -> None:
        """Ends the connections. Calls whose block runs are no longer renewed."""
        if self._later:
            await asyncio.wait(self._later, timeout=TELL_SECONDS)
        await self._asker.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def give_back(self, asking: asyncio.Task[Approval]) -> None:
        """Releases what an abandoned question may still be granted, without anybody's waiting."""
        self.go_on(self._release_when_granted(asking))

    async def _release_when_granted(self, asking: asyncio.Task[Approval]) -> None:
        try:
            approval = await asking
            if approval.lease_id:
                await self.release(approval.lease_id)
        except CallgateError as error:
            log.info("an abandoned question ended without a channel to give back: %s", error)

    def go_on(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work that goes on though nobody may wait for it any more, but whoever closes the client."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        return task


class Held:
    """The block of a call: asks at its beginning, renews while it lasts, tells or releases at its end."""

    def __init__(
        self, gate: AsyncCallgate, intent: Mapping[str, Any], renew_every: float, patience: float | None
    ) -> None:
        self.gate, self.intent, self.renew_every, self.patience = gate, intent, renew_every, patience
        self._call: Call | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Call:
        if self._call is not None:
            raise RuntimeError("each block is a call of its own: ask again with gate.call(…)")
        began = asyncio.get_running_loop().time()
        asking = asyncio.create_task(self.gate.approve(self.intent, patience=self.patience))
        try:
            approval = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self.gate.give_back(asking)
            raise
        self._call = Call(approval)
        self._keeper = asyncio.create_task(self._keep(self._call, began + self.intent["max_duration"]))
        return self._call

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._call is not None
        # Shielded: a block that ends because its task was cancelled tells its outcome all the same.
        ending = self.gate.go_on(self._end(self._call))
        try:
            await asyncio.shield(ending)
        except NotTold as not_told:
            if error is None:
                raise
            log.error("%s", not_told)  # the block's own exception is what the caller has to see

    async def _end(self, call: Call) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        if call.ending is not None:
            result, details = call.ending
            await self.gate.outcome(call.id, result, **details)
            return
        try:
            await self.gate.release(cast(str, call.approval.lease_id))
        except NotApproved as failure:
            log.warning("the channel of %s comes back when its lease ends: %s", call.id, failure)

    async def _keep(self, call: Call, ends: float) -> None:
        """Moves the lease's end along with the call. A failure is tried again soon, and never ends the call.

        ``ends`` is when it ends at the earliest, on the loop's clock. Each renewal makes the whole of it good again, so
        that what is lost on the way and to failures does not add up.
        """
        clock = asyncio.get_running_loop().time
        lease, wait = cast(str, call.approval.lease_id), self.renew_every
        known = call.approval.expires_at
        assert known is not None
        while True:
            await asyncio.sleep(wait)
            missing = math.ceil(self.intent["max_duration"] - (ends - clock()))
            try:
                told = await self.gate.renew(lease, min(max(missing, 1), _LONGEST_RENEWAL))
                # By the difference of what Callgate says: a renewal whose answer was lost is in it.
                ends, known, wait = ends + (told - known).total_seconds(), told, self.renew_every
            except Faulty as over:
                if over.status in (404, 409):
                    call.lost = True
                    log.error("the lease of %s is over, its channel may be another call's: %s", call.id, over)
                    return
                wait = self.renew_every  # a key that was revoked, say: a person has to see to it
                log.error("the lease of %s is not renewed: %s", call.id, over)
            except NotApproved as failure:
                log.warning("the lease of %s is not renewed yet: %s", call.id, failure)
                wait = min(self.renew_every, RENEW_AGAIN_SECONDS)


def _without_none(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _word(identifier: str) -> str:
    """The id as one word of a path."""
    return quote(identifier, safe="")


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise Garbled(f"{answer.status}, where 200 was due")
    return document_of(answer)


def _end(answer: Answer) -> datetime:
    return instant_of(_document(answer).get("expires_at"))


def _nothing(answer: Answer) -> None:
    if answer.status != 204:
        raise Garbled(f"{answer.status}, where 204 was due")
