"""Read an account's events by cursor: each once, in order, for those who would rather ask than be told."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from app.accounts.authenticate import Caller
from app.events import store as events
from app.events.event_types import EVENT_TYPES, READ_WITH, Event, EventType
from app.ids import instant_of
from app.platform.outcomes import FieldFault, Gone, Unusable
from app.platform.stores import Stores

PLACED_FOR_SECONDS = 1.0
UNREADABLE = "names no event of this account"


async def read_events(
    services: Stores, caller: Caller, types: Sequence[EventType] | None, after: int | uuid.UUID, limit: int
) -> list[Event]:
    """Up to ``limit`` events behind a position, or behind the event of that id.

    Of the types that are asked for, or of all that the key may read. What was committed by now is among them, unless an
    import has told of more than can be put in order within a second: then the rest comes with a later page. Raises
    MissingScope, Unusable for an id that is no event's, and Gone for one that may have been one.
    """
    for kind in types or ():
        caller.needs(READ_WITH[kind] or "")
    readable = [kind for kind in types or EVENT_TYPES if caller.may(READ_WITH[kind] or "")]
    now = services.now()
    await events.place_for(services.database, PLACED_FOR_SECONDS)
    async with services.database.begin() as connection:
        await events.note_reader(connection, caller.account_id, now)
        if isinstance(after, uuid.UUID):
            position = await events.position_of(connection, caller.account_id, after)
            if position is None and instant_of(after) < now - timedelta(days=1):
                raise Gone("That event is gone, and what came after it may be: begin without after.")
            if position is None:
                raise Unusable([FieldFault("after", UNREADABLE, "")])
            after = position
        return await events.page(connection, caller.account_id, readable, after, limit)
