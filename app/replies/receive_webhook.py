"""Take a carrier's own webhook: nothing in it is read before its signature is known to be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.accounts import policy_store as policies
from app.accounts.authenticate import Caller
from app.accounts.policy_store import StoredPolicy
from app.accounts.read_policy import CARRIERS as OF_POLICY
from app.numbering import sender_line
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.outcomes import FieldFault, NotAllowed, Unusable
from app.platform.stores import Stores
from app.replies.carriers.known import CARRIERS, CarrierName
from app.replies.carriers.webhook import (
    Carrier,
    ReplyDocument,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    storable,
)
from app.replies.record_reply import NOTHING, Received, Taken, take_message


async def receive_webhook(
    services: Stores,
    caller: Caller,
    key_hash: bytes,
    name: CarrierName,
    request: WebhookRequest,
    render: Callable[[Taken], Answer],
) -> tuple[Taken, ReplyDocument | None]:
    """What its last message was taken for, and the answer in the carrier's form, or None where that is JSON.

    The effects are in force when this returns. Raises NotAllowed for a carrier that the policy does not name and for a
    signature that is wrong, stale or missing; Unusable for what is not what the carrier sends.
    """
    carrier = CARRIERS[name]
    async with services.database.begin() as connection:
        stored = await policies.fetch(connection, caller.account_id)
    kept = stored.inbound.get(OF_POLICY, {}).get(name)
    if kept is None:
        raise NotAllowed(f"The policy has no {name} among inbound.carriers.")
    if not carrier.is_signed(request, kept):
        raise NotAllowed(f"The signature of {name} is missing, stale or not right.")
    try:
        messages = carrier.messages(request)
    except Unreadable as error:
        raise Unusable([FieldFault("body", str(error), "")]) from None
    taken = NOTHING
    last: WebhookMessage | None = None
    unusable: Unusable | None = None
    for last in messages:
        try:
            taken = await _take(services, caller, key_hash, name, last, stored, render)
        except Unusable as error:  # those that came with it are taken all the same
            unusable = error
            continue
        if last.is_answered or kept.get("answers"):
            taken = replace(taken, reply=None)
    if unusable is not None:
        raise unusable
    return taken, _answer(carrier, last, taken)


def _answer(carrier: Carrier, message: WebhookMessage | None, taken: Taken) -> ReplyDocument | None:
    return carrier.reply(message, taken.reply) if carrier.reply is not None else None


async def _take(
    services: Stores,
    caller: Caller,
    key_hash: bytes,
    name: CarrierName,
    message: WebhookMessage,
    stored: StoredPolicy,
    render: Callable[[Taken], Answer],
) -> Taken:
    if message.fault:
        raise Unusable([FieldFault("body", message.fault, "")])
    line = sender_line(message.sender)
    if line is None:
        raise Unusable([FieldFault("body", "must come from a number, as nothing else can be left alone", "")])
    received = Received(
        line,
        storable(message.to)[:64],
        storable(message.body),
        message.carrier_action,
        name,
        message.known_by(),
        message.sent_at,
        storable(message.subject),
    )
    found: list[Taken] = []

    def rendered(taken: Taken) -> Answer:
        found.append(taken)
        return render(taken)

    await take_message(services, caller, RequestIdentity(key_hash), received, stored, rendered)
    return found[-1]
