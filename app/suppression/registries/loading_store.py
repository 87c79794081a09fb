"""Writing registries: the blocks of a new version, the switch to it, and changes in place.

Every function works inside the caller's transaction. A load and a change each hold the registry from
beginning to end, so two never meet; readers are never held up, and see the state before or after, never
between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.suppression.registries.bitmaps import Block

# The first half of the advisory locks that hold a registry; the second is made from its name.
_LOCK_CLASS = 0x7265_6769


class RegistryBusy(Exception):
    """Another load or change of this registry is running."""


class NoSuchRegistry(Exception):
    """There is no registry of this name."""


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """What is in force; all None and zero while nothing is loaded."""

    version_id: int | None
    version_date: date | None
    numbers: int
    blocks: int


_HOLD = text("SELECT pg_try_advisory_lock(:class, hashtext(:name))")
_HOLD_FOR_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:class, hashtext(:name))")
_ACTIVE = text(
    """
    SELECT r.active_version_id, r.version_date, coalesce(v.numbers, 0), coalesce(v.blocks, 0)
      FROM registries AS r LEFT JOIN registry_versions AS v ON v.id = r.active_version_id
     WHERE r.name = :name
    """
)
_OPEN = text(
    """
    INSERT INTO registry_versions (registry, state, version_date, source, numbers, blocks, job_id, loaded_at)
    VALUES (:name, 'active', :version_date, :source, 0, 0, :job_id, :now) RETURNING id
    """
)
_BLOCKS = text(
    "SELECT block, bits FROM registry_blocks"
    " WHERE version_id = :version_id AND block = ANY(CAST(:blocks AS bigint[]))"
)
_RETIRE = text(
    """
    UPDATE registry_versions SET state = 'retired', retired_at = :now
     WHERE registry = :name AND state = 'active' AND id <> :version_id
    """
)
_DROP_BLOCKS = text("DELETE FROM registry_blocks WHERE version_id = :version_id")
_DROP_REASSIGNED = text("DELETE FROM reassigned_numbers WHERE version_id = :version_id")
_KIND = text("SELECT kind FROM registries WHERE name = :name")
_FILL = text("UPDATE registry_versions SET numbers = :numbers, blocks = :blocks WHERE id = :version_id")
_SWITCH = text(
    "UPDATE registries SET active_version_id = :version_id, version_date = :version_date WHERE name = :name"
)
_PUT_BLOCKS = text(
    """
    INSERT INTO registry_blocks (block, version_id, bits) SELECT block, :version_id, bits FROM
    unnest(CAST(:blocks AS bigint[]), CAST(:bits AS bytea[])) AS new(block, bits) ON CONFLICT (block,
    version_id) DO UPDATE SET bits = excluded.bits
    """
)
_REMOVE_BLOCKS = text(
    "DELETE FROM registry_blocks WHERE version_id = :version_id AND block = ANY(CAST(:blocks AS bigint[]))"
)
_CHANGED = text(
    """
    UPDATE registry_versions
       SET numbers = :numbers, blocks = :blocks, version_date = :version_date, changed_at = :now,
           changes_applied = changes_applied + 1
     WHERE id = :version_id
    """
)


async def hold_registry(connection: AsyncConnection, name: str, *, session: bool = False) -> None:
    """Takes the registry for this transaction, or until the session ends or unlocks.

    :raises RegistryBusy: another session has it.
    """
    lock = _HOLD if session else _HOLD_FOR_TRANSACTION
    if not (await connection.execute(lock, {"class": _LOCK_CLASS, "name": name})).scalar_one():
        raise RegistryBusy(f"another load or change of the registry {name} is running")


async def active_version(connection: AsyncConnection, name: str) -> ActiveVersion:
    """What is in force.

    :raises NoSuchRegistry: there is no such registry.
    """
    row = (await connection.execute(_ACTIVE, {"name": name})).one_or_none()
    if row is None:
        raise NoSuchRegistry(f"there is no registry {name}")
    return ActiveVersion(*row)


async def open_version(
    connection: AsyncConnection, name: str, *, version_date: date, source: str, job_id: UUID, now: datetime
) -> int:
    """Begins a version; nobody sees it before the transaction commits."""
    values = {"name": name, "version_date": version_date, "source": source, "job_id": job_id, "now": now}
    return int((await connection.execute(_OPEN, values)).scalar_one())


async def copy_blocks(connection: AsyncConnection, version_id: int, blocks: Sequence[Block]) -> None:
    """Adds blocks to a version through a binary COPY."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        "registry_blocks",
        columns=["block", "version_id", "bits"],
        records=[(block.block, version_id, block.bits) for block in blocks],
    )


async def stored_blocks(
    connection: AsyncConnection, version_id: int, blocks: Sequence[int]
) -> dict[int, bytes]:
    """Those of the blocks that the version has."""
    rows = await connection.execute(_BLOCKS, {"version_id": version_id, "blocks": list(blocks)})
    return {row.block: row.bits for row in rows}


async def switch_version(
    connection: AsyncConnection,
    name: str,
    *,
    old_id: int | None,
    new_id: int,
    version_date: date,
    numbers: int,
    blocks: int,
    now: datetime,
) -> None:
    """Puts the new version in force and takes the blocks of the old one away."""
    await connection.execute(_FILL, {"numbers": numbers, "blocks": blocks, "version_id": new_id})
    await connection.execute(_RETIRE, {"name": name, "version_id": new_id, "now": now})
    await connection.execute(_SWITCH, {"version_id": new_id, "version_date": version_date, "name": name})
    if old_id is not None:
        await connection.execute(_DROP_BLOCKS, {"version_id": old_id})
        await connection.execute(_DROP_REASSIGNED, {"version_id": old_id})


async def registry_kind(connection: AsyncConnection, name: str) -> str | None:
    """What kind of list it is; None when there is no such registry."""
    kind: str | None = (await connection.execute(_KIND, {"name": name})).scalar_one_or_none()
    return kind


async def copy_reassigned(
    connection: AsyncConnection, version_id: int, given_up: Sequence[tuple[int, date]]
) -> None:
    """Adds the days on which numbers of a version were given up, each number once, through a binary COPY."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        "reassigned_numbers",
        columns=["version_id", "number", "since"],
        records=[(version_id, number, since) for number, since in given_up],
    )


async def replace_blocks(
    connection: AsyncConnection, version_id: int, put: Sequence[tuple[int, bytes]], remove: Sequence[int]
) -> None:
    """Writes blocks over those that a version has, and takes away those that have become empty."""
    if put:
        blocks, bits = zip(*put, strict=True)
        await connection.execute(
            _PUT_BLOCKS, {"version_id": version_id, "blocks": list(blocks), "bits": list(bits)}
        )
    if remove:
        await connection.execute(_REMOVE_BLOCKS, {"version_id": version_id, "blocks": list(remove)})


async def note_changes(
    connection: AsyncConnection,
    name: str,
    *,
    version_id: int,
    version_date: date,
    numbers: int,
    blocks: int,
    now: datetime,
) -> None:
    """Dates the version by the changes that were applied to it."""
    await connection.execute(
        _CHANGED,
        {
            "version_id": version_id,
            "version_date": version_date,
            "numbers": numbers,
            "blocks": blocks,
            "now": now,
        },
    )
    await connection.execute(_SWITCH, {"version_id": version_id, "version_date": version_date, "name": name})
