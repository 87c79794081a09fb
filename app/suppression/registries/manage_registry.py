"""Make a registry, change what it binds, and remove it; each is written down with what was before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.accounts.audit.record_change import actor_of, begin_change, record_change
from app.numbering import load as load_number_locator
from app.platform.outcomes import Conflict, FieldFault, Unusable
from app.platform.postgres.database import Database
from app.suppression.registries.loading_store import ActiveVersion, RegistryBusy, hold_registry
from app.suppression.registries.store import Registry, delete_registry, put_registry, read_registry

# Of this kind a list forbids nobody: it ends the consents that were given before.
REASSIGNED = "reassigned"


async def set_registry(
    database: Database,
    key_id: UUID | None,
    name: str,
    *,
    kind: str,
    region: str | None,
    applies_to: Sequence[str],
    purposes: Sequence[str],
    max_age_days: int | None,
    now: datetime,
) -> tuple[bool, Registry]:
    """Make it or change its settings, never its numbers; answers whether it is new, and the registry.

    Raises Unusable for a region that the rules do not know: a list of nowhere, once too old, would bind nobody. Raises
    Conflict where a list is loaded, or being loaded, and only one of its kind and the new one is of reassigned numbers:
    those forbid nothing, so that all whom the list forbids could be called from then on, or the other way round.
    """
    if region is not None and not load_number_locator().regions.is_of_somebody(region):
        reason = "must be a country or a region of ISO 3166-2 that is known here, as US-TX"
        raise Unusable([FieldFault("region", reason, "/region")])
    subject = f"registry:{name}"
    async with database.begin() as connection:
        await begin_change(connection, None, subject)
        before = await read_registry(connection, name, now)
        if before is not None and (before.kind == REASSIGNED) != (kind == REASSIGNED):
            await _refuse_if_loaded(connection, before, kind)
        new = await put_registry(
            connection,
            name,
            kind=kind,
            region=region,
            applies_to=applies_to,
            purposes=purposes,
            max_age_days=max_age_days,
            now=now,
        )
        after = await read_registry(connection, name, now)
        assert after is not None, "it was written in the same transaction"
        await record_change(
            connection,
            None,
            actor_of(key_id),
            subject,
            before=_settings(before) if before is not None else None,
            after=_settings(after),
            now=now,
        )
    return new, after


async def _refuse_if_loaded(connection: AsyncConnection, registry: Registry, kind: str) -> None:
    try:
        await hold_registry(connection, registry.name)
    except RegistryBusy:
        raise Conflict(f"The registry {registry.name} is being loaded or changed.") from None
    if registry.in_force:
        raise Conflict(
            f"The registry {registry.name} holds a list of the kind {registry.kind}, which cannot become one of the"
            f" kind {kind}. Load the list under another name, and delete this one when nothing relies on it."
        )


async def remove_registry(engine: AsyncEngine, key_id: UUID | None, name: str, now: datetime) -> bool:
    """Remove it with its numbers; False when there was none. Raises RegistryBusy."""
    async with engine.begin() as connection:
        before = await read_registry(connection, name, now)
        if not await delete_registry(connection, name):
            return False
        if before is not None:
            loaded = {"version_date": before.version_date, "numbers": before.numbers}
            await record_change(
                connection,
                None,
                actor_of(key_id),
                f"registry:{name}",
                before={**_settings(before), **loaded},
                after=None,
                now=now,
            )
    return True


async def record_load(
    connection: AsyncConnection,
    key_id: UUID | None,
    name: str,
    old: ActiveVersion,
    version_date: date,
    numbers: int,
    *,
    now: datetime,
    action: str,
) -> None:
    """Write down that the registry has another list, in the transaction that puts it in force."""
    before = {"version_date": old.version_date, "numbers": old.numbers} if old.version_id else None
    after: dict[str, Any] = {"version_date": version_date, "numbers": numbers, "loaded_at": now}
    subject = f"registry:{name}"
    await record_change(
        connection, None, actor_of(key_id), subject, before=before, after=after, now=now, action=action
    )


def _settings(registry: Registry) -> dict[str, Any]:
    return {
        "name": registry.name,
        "kind": registry.kind,
        "region": registry.region,
        "applies_to": list(registry.applies_to),
        "purposes": list(registry.purposes),
        "max_age_days": registry.max_age_days,
    }
