"""Take an inbound message: an opt-out suppresses its sender at once, an opt-in lifts what an opt-out made."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts import policy_store as policies
from app.accounts.authenticate import Caller
from app.accounts.policy_document import read_policy
from app.accounts.policy_store import StoredPolicy
from app.accounts.read_policy import SECRET
from app.consents import store as consents
from app.content import mask
from app.ids import new_id
from app.numbering import spellings
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.change_once import change_once
from app.platform.outcomes import NotAllowed
from app.platform.stores import Stores
from app.replies import store as inbound_messages
from app.replies.classify import InboundMeaning, classify_inbound
from app.replies.store import InboundMessage
from app.suppression import opt_out_store as opt_outs
from app.suppression.change_entries import OPT_OUT

OPERATION = "inbound_messages"
# What the carrier itself took the message for (Twilio's OptOutType), for keywords that were configured there.
CARRIER_ACTIONS: Mapping[str, InboundMeaning] = {
    "STOP": InboundMeaning("opt_out", None, ""),
    "START": InboundMeaning("opt_in", None, ""),
    "HELP": InboundMeaning("help", None, ""),
}
# CTIA Messaging Principles 5.1.3: an opt-out is confirmed, and help says how to opt out.
_REPLIES = {
    "opt_out": "You are unsubscribed and will get no more messages. Reply START to get them again.",
    "opt_in": "You are subscribed again. Reply HELP for help, STOP to unsubscribe.",
    "help": "Reply STOP to unsubscribe, START to subscribe again.",
}


@dataclass(frozen=True, slots=True)
class Received:
    """An inbound message. ``sender`` is a plus sign and digits; ``carrier_action`` what the carrier says it was.

    One that a carrier's own webhook brought has the carrier's name and the id that it goes by there, and when the
    person sent it, as far as the carrier tells. ``subject`` stands over a message with a picture.
    """

    sender: str
    to: str
    body: str
    carrier_action: str | None = None
    carrier: str | None = None
    carrier_message_id: str | None = None
    sent_at: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the message was taken for, and what to answer the person; None for nothing."""

    meaning: InboundMeaning
    reply: str | None


NOTHING = Taken(InboundMeaning("none", None, ""), None)


async def record_inbound(
    services: Stores,
    caller: Caller,
    presented: RequestIdentity,
    received: Received,
    is_signed: Callable[[str], bool] | None,
    render: Callable[[Taken], Answer],
) -> Answer:
    """Act on the message; its effect is in force when this returns, and a second time changes nothing.

    ``is_signed`` is asked with the account's webhook secret, if it has one, for messages that a carrier signs.
    Raises NotAllowed when it says no.
    """
    async with services.database.begin() as connection:
        stored = await policies.fetch(connection, caller.account_id)
    secret = stored.inbound.get(SECRET)
    if secret is not None and is_signed is not None and not is_signed(secret):
        raise NotAllowed(
            "The X-Twilio-Signature is missing or was not made with the account's webhook secret."
        )
    return await take_message(services, caller, presented, received, stored, render)


async def take_message(
    services: Stores,
    caller: Caller,
    presented: RequestIdentity,
    received: Received,
    stored: StoredPolicy,
    render: Callable[[Taken], Answer],
) -> Answer:
    """Act on a message that is known to be genuine, and answer it by the account's wording.

    One that its carrier brings again changes nothing, however long ago it came first.
    """
    now = services.now()
    names = read_policy(stored.policy, stored.version).names
    meaning = understand(received, names)
    meaning = replace(meaning, words=mask(meaning.words))
    answer = render(Taken(meaning, reply_to(meaning, stored.inbound, names)))

    async def change(connection: AsyncConnection, _: uuid.UUID) -> Answer:
        if meaning.action == "none":
            return answer
        await consents.lock(connection, caller.account_id, spellings(received.sender)[0])
        if not await _came_before(connection, caller, received):
            if meaning.action == "opt_in" and await _is_overtaken(connection, caller, received):
                return render(NOTHING)
            await _EFFECTS[meaning.action](connection, caller, received, meaning, now)
        return answer

    return await change_once(
        services, presented, operation=OPERATION, scope="inbound:write", now=now, change=change
    )


async def _came_before(connection: AsyncConnection, caller: Caller, received: Received) -> bool:
    if received.carrier is None or received.carrier_message_id is None:
        return False
    return await inbound_messages.is_known(
        connection, caller.account_id, received.carrier, received.carrier_message_id
    )


async def _is_overtaken(connection: AsyncConnection, caller: Caller, received: Received) -> bool:
    """Whether the person has opted out since they sent it: a carrier that could not reach us tries again for a day."""
    if received.sent_at is None:
        return False
    line = spellings(received.sender)
    opted_out = await consents.last_opt_out(connection, caller.account_id, line)
    return opted_out is not None and opted_out >= received.sent_at


def understand(received: Received, names: tuple[str, ...] = ()) -> InboundMeaning:
    """What the message asks for. A carrier's opt-out counts whatever the words are; our reading of them else.

    What stands over a picture is read by itself: carriers write words of their own there, which must hide no wish.
    """
    meaning = classify_inbound(received.body, names)
    if received.subject and meaning.action != "opt_out":
        above = classify_inbound(received.subject, names)
        meaning = above if above.action == "opt_out" else meaning
    said = CARRIER_ACTIONS.get(received.carrier_action or "")
    if said is None or meaning.action == "opt_out" or meaning.action == said.action:
        return meaning
    return replace(said, words=" ".join(received.body.split())[:160])


def reply_to(meaning: InboundMeaning, configured: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The account's wording, or our own with the account's first name before it."""
    if meaning.action == "none":
        return None
    own = configured.get(f"{meaning.action}_reply")
    if own is not None:
        return str(own)
    return f"{names[0]}: {_REPLIES[meaning.action]}" if names else _REPLIES[meaning.action]


async def _opt_out(
    connection: AsyncConnection, caller: Caller, received: Received, meaning: InboundMeaning, now: datetime
) -> None:
    """Suppress the sender on every channel, beside whatever the account has on its own list."""
    account, line = caller.account_id, spellings(received.sender)
    made: list[uuid.UUID] = []
    if "all" not in await opt_outs.standing_since(connection, account, line):
        wish_id = new_id(now)
        await opt_outs.record(
            connection,
            account,
            received.sender,
            meaning.words,
            key_id=caller.key_id,
            wish_id=wish_id,
            event_id=new_id(now),
            now=now,
        )
        made.append(wish_id)
    await consents.end(connection, account, line, OPT_OUT, now)
    await _keep(connection, caller, received, meaning, made, now)


async def _opt_in(
    connection: AsyncConnection, caller: Caller, received: Received, meaning: InboundMeaning, now: datetime
) -> None:
    """Lift what the person asked for themselves. What anybody else put on the list stays."""
    account, line = caller.account_id, spellings(received.sender)
    await opt_outs.lift(
        connection,
        account,
        line,
        None,
        reason=meaning.words,
        key_id=caller.key_id,
        new_event_id=lambda: new_id(now),
        now=now,
    )
    await _keep(connection, caller, received, meaning, [], now)


async def _keep(
    connection: AsyncConnection,
    caller: Caller,
    received: Received,
    meaning: InboundMeaning,
    made: list[uuid.UUID],
    now: datetime,
) -> None:
    message = InboundMessage(
        id=new_id(now),
        from_number=received.sender,
        to_number=received.to,
        action=meaning.action,
        keyword=meaning.keyword,
        words=meaning.words,
        suppression_ids=made,
        received_at=now,
        carrier=received.carrier,
        carrier_message_id=received.carrier_message_id,
    )
    await inbound_messages.add(connection, caller.account_id, message, caller.key_id)


async def _help(
    connection: AsyncConnection, caller: Caller, received: Received, meaning: InboundMeaning, now: datetime
) -> None:
    """Nothing changes for the person; that they asked is kept."""
    await _keep(connection, caller, received, meaning, [], now)


_EFFECTS = {"opt_out": _opt_out, "opt_in": _opt_in, "help": _help}
