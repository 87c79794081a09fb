"""Add, change and remove entries of an account's suppression list, each with its line of history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.authenticate import Caller
from app.consents import store as consents
from app.ids import new_id
from app.instants import rfc3339
from app.numbering import spellings
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.change_once import change_once
from app.platform.outcomes import Conflict, FieldFault, NotFound, Unusable
from app.platform.stores import Stores
from app.platform.visible_text import is_blank
from app.suppression import opt_out_store as opt_outs
from app.suppression import store as suppressions
from app.suppression.store import Entry

OPERATION = "suppressions"
OPT_OUT = "opt_out"  # the source of what the person asked for
Entered = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """Whether the entry was added, and the entry that is on the list now."""

    added: bool
    entry: Entered


async def add_suppression(
    services: Stores,
    caller: Caller,
    presented: RequestIdentity,
    entry: Entry,
    render: Callable[[Added], Answer],
) -> Answer:
    """Add an entry; what is there already is answered with it. The change is in force when this returns.

    What is there stays as it is, but for an opt-out that would last longer: that takes its place.
    """
    now = services.now()
    check_expiry(entry, services)

    async def change(connection: AsyncConnection, entry_id: UUID) -> Answer:
        await _hold_line(connection, caller, entry)
        who: Any = {
            "numbers": spellings(entry.number),
            "key_id": caller.key_id,
            "entry_id": entry_id,
            "event_id": new_id(now),
            "now": now,
        }
        added, there = await suppressions.add(connection, caller.account_id, entry, **who)
        await _end_consents(connection, caller, entry, now)
        if added or entry.source != OPT_OUT:
            return render(Added(added, there))
        if _outlasts(entry, there):
            # Who is told that the number is there goes on as if it were suppressed for as long as was asked.
            _, there = await suppressions.put(connection, caller.account_id, entry, **who)
        else:
            # It has ended the consents of its line, so none that was given before it may come back.
            await suppressions.repeat_opt_out(
                connection, caller.account_id, entry, key_id=caller.key_id, event_id=new_id(now), now=now
            )
        return render(Added(added, there))

    return await change_once(
        services, presented, operation=OPERATION, scope="suppressions:write", now=now, change=change
    )


def _outlasts(entry: Entry, there: Entered) -> bool:
    """Whether the entry that is there ends before the one that is wanted would."""
    ends = there["expires_at"]
    return ends is not None and (entry.expires_at is None or entry.expires_at > ends)


async def put_suppression(services: Stores, caller: Caller, entry: Entry) -> Added:
    """Add the entry, or make the one that is there like it."""
    now = services.now()
    check_expiry(entry, services)
    async with services.database.begin() as connection:
        await _hold_line(connection, caller, entry)
        added, there = await suppressions.put(
            connection,
            caller.account_id,
            entry,
            numbers=spellings(entry.number),
            key_id=caller.key_id,
            entry_id=new_id(now),
            event_id=new_id(now),
            now=now,
        )
        await _end_consents(connection, caller, entry, now)
    return Added(added, there)


async def remove_suppression(
    services: Stores, caller: Caller, number: str, channel: str | None, reason: str
) -> datetime | None:
    """Remove the account's entry of a channel, or all its entries; answers since when the person's own opt-out
    stands all the same, if one does.

    A key with `admin` that gives a reason removes the opt-out as well. Raises NotFound when there is neither, and
    Conflict when there is nothing to remove but an opt-out that this request may not touch.
    """
    now, line = services.now(), spellings(number)
    may_lift = caller.may("admin") and not is_blank(reason)
    who_and_why: Any = {
        "reason": reason, "key_id": caller.key_id, "new_event_id": lambda: new_id(now), "now": now
    }  # fmt: skip
    async with services.database.begin() as connection:
        await consents.lock(connection, caller.account_id, line[0])
        removed = await suppressions.remove(connection, caller.account_id, line, channel, **who_and_why)
        if may_lift:
            removed += await opt_outs.lift(connection, caller.account_id, line, channel, **who_and_why)
        stands = await opt_outs.standing_since(connection, caller.account_id, line)
    since = min(stands.values(), default=None)
    if removed:
        return since
    if since is None or (channel is not None and channel not in stands):
        raise NotFound(f"The number {number} is not on the suppression list.")
    raise Conflict(
        f"The person at {number} opted out at {rfc3339(since)}. Only their own opt-in ends that, or a key with admin"
        " that gives a reason.",
        {"opted_out_at": rfc3339(since)},
    )


async def _hold_line(connection: AsyncConnection, caller: Caller, entry: Entry) -> None:
    """Before an opt-out is entered, which ends consents."""
    if entry.source == OPT_OUT:
        await consents.lock(connection, caller.account_id, spellings(entry.number)[0])


async def _end_consents(connection: AsyncConnection, caller: Caller, entry: Entry, now: datetime) -> None:
    """A person's opt-out ends their consent, whichever way it reached us. Behind the entry, as a list of them does."""
    if entry.source == OPT_OUT:
        await consents.end(connection, caller.account_id, spellings(entry.number), OPT_OUT, now)


def check_expiry(entry: Entry, services: Stores) -> None:
    """An entry that has expired before it begins would suppress nobody; that is a mistake, not a wish."""
    if entry.expires_at is not None and entry.expires_at <= services.now():
        raise Unusable([FieldFault("expires_at", "must be in the future", "/expires_at")])
