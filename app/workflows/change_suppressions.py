"""Add, change and remove entries of an account's suppression list, each with its line of history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.postgres import consents, suppressions
from app.postgres.suppressions import Entry
from app.workflows.authenticate import Caller
from app.workflows.change_once import change_once
from app.workflows.decision import Answer, Presented
from app.workflows.equipment import Equipment
from app.workflows.identity import new_id
from app.workflows.outcomes import FieldFault, NotFound, Unusable

OPERATION = "suppressions"
OPT_OUT = "opt_out"  # the source of what the person asked for
Entered = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Added:
    """Whether the entry was added, and the entry that is on the list now."""

    added: bool
    entry: Entered


async def add_suppression(
    equipment: Equipment,
    caller: Caller,
    presented: Presented,
    entry: Entry,
    render: Callable[[Added], Answer],
) -> Answer:
    """Add an entry; what is there already is answered with it. The change is in force when this returns."""
    now = equipment.now()
    check_expiry(entry, equipment)

    async def change(connection: AsyncConnection, entry_id: UUID) -> Answer:
        await _end_consents(connection, caller, entry, now)
        added, there = await suppressions.add(
            connection,
            caller.account_id,
            entry,
            key_id=caller.key_id,
            entry_id=entry_id,
            event_id=new_id(now),
            now=now,
        )
        return render(Added(added, there))

    return await change_once(
        equipment, presented, operation=OPERATION, scope="suppressions:write", now=now, change=change
    )


async def put_suppression(equipment: Equipment, caller: Caller, entry: Entry) -> Added:
    """Add the entry, or make the one that is there like it."""
    now = equipment.now()
    check_expiry(entry, equipment)
    async with equipment.database.begin() as connection:
        await _end_consents(connection, caller, entry, now)
        added, there = await suppressions.put(
            connection,
            caller.account_id,
            entry,
            key_id=caller.key_id,
            entry_id=new_id(now),
            event_id=new_id(now),
            now=now,
        )
    return Added(added, there)


async def remove_suppression(
    equipment: Equipment, caller: Caller, number: str, channel: str | None, reason: str
) -> None:
    """Remove the number's entry of a channel, or all its entries. Raises NotFound when there is none."""
    now = equipment.now()
    async with equipment.database.begin() as connection:
        removed = await suppressions.remove(
            connection,
            caller.account_id,
            number,
            channel,
            reason=reason,
            key_id=caller.key_id,
            event_ids=[new_id(now) for _ in range(3)],
            now=now,
        )
    if not removed:
        raise NotFound(f"The number {number} is not on the suppression list.")


async def _end_consents(connection: AsyncConnection, caller: Caller, entry: Entry, now: datetime) -> None:
    """A person's opt-out ends their consent, whichever way it reached us."""
    if entry.source == OPT_OUT:
        await consents.lock(connection, caller.account_id, entry.number)
        await consents.end(connection, caller.account_id, entry.number, "opt_out", now)


def check_expiry(entry: Entry, equipment: Equipment) -> None:
    """An entry that has expired before it begins would suppress nobody; that is a mistake, not a wish."""
    if entry.expires_at is not None and entry.expires_at <= equipment.now():
        raise Unusable([FieldFault("expires_at", "must be in the future", "/expires_at")])
