"""Proclaim a holiday, name it anew, and take it back."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.accounts.audit.record_change import actor_of, begin_change, record_change
from app.accounts.authenticate import Caller
from app.calling_window.holidays import store as holidays
from app.platform.outcomes import NotFound
from app.platform.stores import Stores


async def proclaim_holiday(
    services: Stores, caller: Caller, region: str, day: date, name: str
) -> tuple[dict[str, Any], bool]:
    """Binds every account from the next decision on; answers the day, and whether it is new."""
    now, subject = services.now(), f"holiday:{region}/{day}"
    async with services.database.begin() as connection:
        await begin_change(connection, None, subject)
        before = await holidays.fetch(connection, region, day)
        stored, made = await holidays.put(connection, region, day, name, caller.key_id, now)
        await record_change(
            connection, None, actor_of(caller.key_id), subject, before=before, after=stored, now=now
        )
    return stored, made


async def take_holiday_back(services: Stores, caller: Caller, region: str, day: date) -> None:
    """From the next decision on. Raises NotFound when the day is not proclaimed."""
    now, subject = services.now(), f"holiday:{region}/{day}"
    async with services.database.begin() as connection:
        await begin_change(connection, None, subject)
        before = await holidays.fetch(connection, region, day)
        if before is None:
            raise NotFound(f"{day} is not proclaimed a holiday in {region}.")
        await holidays.delete(connection, region, day)
        await record_change(
            connection, None, actor_of(caller.key_id), subject, before=before, after=None, now=now
        )
