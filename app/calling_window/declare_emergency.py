"""Declare an emergency in a region, change it, and end it: solicitation there is banned while it lasts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.accounts.audit.record_change import actor_of, begin_change, record_change
from app.accounts.authenticate import Caller
from app.calling_window import store as emergencies
from app.numbering import load as load_number_locator
from app.platform.outcomes import FieldFault, NotFound, Unusable
from app.platform.stores import Stores

# Beyond this nobody means it, and calendars end.
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


async def declare_emergency(
    services: Stores, caller: Caller, region: str, until: datetime, reason: str
) -> tuple[bool, dict[str, Any]]:
    """Ban solicitation in the region for every account until the instant; answers whether none was in force before.

    Raises Unusable for a region that the rules do not know, which would protect nobody, and for an instant that
    has passed or that nobody means.
    """
    now = services.now()
    if load_number_locator().regions.find(region) is None:
        reason = "must be a region of ISO 3166-2 that is known here, as US-LA"
        raise Unusable([FieldFault("region", reason, "")])
    if not now < until < LATEST:
        raise Unusable([FieldFault("until", "must be in the future, and before the year 2200", "/until")])
    subject, actor = f"emergency:{region}", actor_of(caller.key_id)
    async with services.database.begin() as connection:
        await begin_change(connection, None, subject)
        stored, before = await emergencies.declare(connection, region, until, reason, caller.key_id, now)
        await record_change(connection, None, actor, subject, before=before, after=stored, now=now)
    return before is None, stored


async def end_emergency(services: Stores, caller: Caller, region: str) -> None:
    """From the next decision on. Raises NotFound when none is in force."""
    now, subject = services.now(), f"emergency:{region}"
    async with services.database.begin() as connection:
        before = await emergencies.delete(connection, region, now)
        await record_change(
            connection, None, actor_of(caller.key_id), subject, before=before, after=None, now=now
        )
    if before is None:
        raise NotFound(f"No emergency is declared in {region}.")
