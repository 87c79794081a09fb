"""Which registries list a number, which are in force and which of those too old to rely on, and their settings.

The questions are SQL fragments, so that the one query that gathers the facts of an intent can ask them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrail.facts import RegistryHit, RegistryInForce
from app.platform.postgres.line_sql import under_every_spelling
from app.suppression.registries.loading_store import hold_registry

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
REGION_PATTERN = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"  # ISO 3166


def block_has(bits_sql: str, offset_sql: str) -> str:
    """SQL that is true when the stored block ``bits_sql`` lists the offset (0 to 9,999).

    The two forms of a block, and why a byte search is exact, are told in ``app.suppression.registries.bitmaps``.
    """
    return (
        f"CASE WHEN length({bits_sql}) = 1250 THEN get_bit({bits_sql}, {offset_sql}) = 1"
        f" ELSE position(substring(int4send(((128 | ({offset_sql} >> 7)) << 8)"
        f" | ({offset_sql} & 127)) FROM 3) IN {bits_sql}) > 0 END"
    )


def registry_hits_sql(number_sql: str, others_sql: str | None = None) -> str:
    """A scalar subquery: jsonb array of the registries that list the line, each once, in no order.

    ``number_sql`` and ``others_sql`` are the spellings as ``under_every_spelling`` takes them, in E.164 with the plus
    sign; other text is an error of the query. Elements are what ``hits_from_json`` takes. One descent of one index for
    each spelling, however many registries there are; and one more for a number that a reassigned list names.
    """

    def listed(number: str) -> str:
        n = f"substr({number}, 2)::bigint"
        return f"""SELECT b.version_id FROM registry_blocks AS b
                    WHERE b.block = {n} / 10000 AND {block_has("b.bits", f"({n} % 10000)::int")}"""

    def given_up(number: str) -> str:
        return f"""SELECT n.since FROM reassigned_numbers AS n
                    WHERE n.version_id = r.active_version_id AND n.number = substr({number}, 2)::bigint"""

    return f"""(
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'registry', r.name, 'kind', r.kind, 'region', r.region, 'version_date', r.version_date,
                   'applies_to', r.applies_to, 'purposes', r.purposes, 'since',
                   CASE WHEN r.kind = 'reassigned' THEN coalesce(
                       (SELECT max(g.since) FROM {under_every_spelling(given_up, number_sql, others_sql)} AS g),
                       r.version_date) END)), '[]'::jsonb)
          FROM registries AS r
         WHERE r.active_version_id IN {under_every_spelling(listed, number_sql, others_sql)}
    )"""


def registries_in_force_sql(now_sql: str) -> str:
    """A scalar subquery: jsonb array of the registries that are loaded, by name, with what they bind.

    ``now_sql`` is an expression of type timestamptz. ``too_old``: past ``max_age_days``, counted in whole days of UTC
    from the date of the list. A registry that was never loaded is not in force and not among them. They are few, and
    depend on no number: one statement reads them once, however many numbers it asks for.
    """
    return f"""(
        SELECT coalesce(jsonb_agg(jsonb_build_array(
                   r.name, r.kind, r.region, r.version_date, r.applies_to, r.purposes,
                   coalesce(({now_sql} AT TIME ZONE 'UTC')::date - r.version_date > r.max_age_days, false))
                   ORDER BY r.name), '[]'::jsonb)
          FROM registries AS r
         WHERE r.active_version_id IS NOT NULL
    )"""


def hits_from_json(rows: Sequence[Mapping[str, object]]) -> tuple[RegistryHit, ...]:
    """The hits of ``registry_hits_sql``, decoded from JSON already, as facts in the order of their names."""
    return tuple(
        RegistryHit(
            registry=str(row["registry"]),
            kind=str(row["kind"]),
            region=None if row["region"] is None else str(row["region"]),
            version_date=str(row["version_date"]),
            applies_to=frozenset(row["applies_to"]),  # type: ignore[call-overload]
            purposes=frozenset(row["purposes"]),  # type: ignore[call-overload]
            since=None if row["since"] is None else date.fromisoformat(str(row["since"])),
        )
        for row in sorted(rows, key=lambda row: str(row["registry"]))
    )


@lru_cache(maxsize=64)
def registries_in_force(found: str) -> tuple[RegistryInForce, ...]:
    """What ``registries_in_force_sql`` found, as text of JSON. Decision after decision finds the same."""
    return tuple(
        RegistryInForce(name, kind, region, dated, frozenset(applies_to), frozenset(purposes), too_old)
        for name, kind, region, dated, applies_to, purposes, too_old in orjson.loads(found)
    )


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's settings and what is loaded. ``age_days`` is None while nothing is."""

    name: str
    kind: str
    region: str | None
    applies_to: tuple[str, ...]
    purposes: tuple[str, ...]
    max_age_days: int | None
    version_date: date | None
    numbers: int
    loaded_at: datetime | None
    changed_at: datetime | None
    source: str
    age_days: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def in_force(self) -> bool:
        """Whether a list was ever loaded. One that was not says nothing of anybody, and binds nobody."""
        return self.version_date is not None

    @property
    def stale(self) -> bool:
        """Too old to be relied on; the same rule as ``registries_in_force_sql``."""
        return self.days_left is not None and self.days_left < 0

    @property
    def days_left(self) -> int | None:
        """Whole days until it is stale, below zero when it is; None when it never will be, or is empty."""
        return (
            None if self.max_age_days is None or self.age_days is None else self.max_age_days - self.age_days
        )


_READ = """
    SELECT r.name, r.kind, r.region, r.applies_to, r.purposes, r.max_age_days, r.version_date,
           coalesce(v.numbers, 0) AS numbers, v.loaded_at, v.changed_at, coalesce(v.source, '') AS source,
           (CAST(:now AS timestamptz) AT TIME ZONE 'UTC')::date - r.version_date AS age_days,
           r.created_at, r.updated_at
      FROM registries AS r
      LEFT JOIN registry_versions AS v ON v.id = r.active_version_id
"""
_READ_ALL = text(_READ + " ORDER BY r.name")
_READ_ONE = text(_READ + " WHERE r.name = :name")
_VERSIONS = text(
    """
    SELECT v.id, v.version_date, v.numbers, v.loaded_at, j.key_id AS loaded_by, v.job_id, v.changes_applied,
           v.changed_at, v.retired_at AS replaced_at, v.id IS NOT DISTINCT FROM r.active_version_id AS in_force
      FROM registry_versions AS v
      JOIN registries AS r ON r.name = v.registry
      LEFT JOIN jobs AS j ON j.id = v.job_id
     WHERE v.registry = :name AND v.id < :before ORDER BY v.id DESC LIMIT :limit
    """
)
_PUT = text(
    """
    INSERT INTO registries (name, kind, region, applies_to, purposes, max_age_days, created_at, updated_at)
    VALUES (:name, :kind, :region, :applies_to, :purposes, :max_age_days, :now, :now)
    ON CONFLICT (name) DO UPDATE
       SET kind = excluded.kind, region = excluded.region, applies_to = excluded.applies_to,
           purposes = excluded.purposes, max_age_days = excluded.max_age_days, updated_at =
           excluded.updated_at
    RETURNING xmax = 0 AS created
    """
)
_DELETE_BLOCKS = text(
    """
    DELETE FROM registry_blocks AS b USING registry_versions AS v
     WHERE v.registry = :name AND v.state = 'active' AND b.version_id = v.id
    """
)
_DELETE_REASSIGNED = text(
    """
    DELETE FROM reassigned_numbers AS n USING registry_versions AS v
     WHERE v.registry = :name AND v.state = 'active' AND n.version_id = v.id
    """
)
_DELETE = text("DELETE FROM registries WHERE name = :name RETURNING name")


def _registry(row: RowMapping) -> Registry:
    values: dict[str, Any] = dict(row)
    values["applies_to"] = tuple(row["applies_to"])
    values["purposes"] = tuple(row["purposes"])
    return Registry(**values)


async def list_registries(connection: AsyncConnection, now: datetime) -> list[Registry]:
    """All of them by name, with their ages at ``now``: for the list, for /readyz and for the metrics."""
    return [_registry(row) for row in (await connection.execute(_READ_ALL, {"now": now})).mappings()]


async def read_registry(connection: AsyncConnection, name: str, now: datetime) -> Registry | None:
    """One of them, or None."""
    row = (await connection.execute(_READ_ONE, {"name": name, "now": now})).mappings().one_or_none()
    return None if row is None else _registry(row)


async def registry_versions(
    connection: AsyncConnection, name: str, before: int, limit: int
) -> list[dict[str, Any]]:
    """Up to ``limit`` versions with an id below ``before``, the newest first, those that were replaced as well."""
    given = {"name": name, "before": before, "limit": limit}
    return [dict(row) for row in (await connection.execute(_VERSIONS, given)).mappings()]


async def put_registry(
    connection: AsyncConnection,
    name: str,
    *,
    kind: str,
    region: str | None,
    applies_to: Sequence[str],
    purposes: Sequence[str],
    max_age_days: int | None,
    now: datetime,
) -> bool:
    """Creates it or changes its settings, never its numbers; True when it is new. The caller commits."""
    values = {
        "name": name,
        "kind": kind,
        "region": region,
        "applies_to": list(applies_to),
        "purposes": list(purposes),
        "max_age_days": max_age_days,
        "now": now,
    }
    return bool((await connection.execute(_PUT, values)).scalar_one())


async def delete_registry(connection: AsyncConnection, name: str) -> bool:
    """Removes it with its numbers; False when there was none. The caller commits.

    :raises RegistryBusy: it is being loaded or changed at this moment.
    """
    await hold_registry(connection, name)
    await connection.execute(_DELETE_BLOCKS, {"name": name})
    await connection.execute(_DELETE_REASSIGNED, {"name": name})
    return (await connection.execute(_DELETE, {"name": name})).scalar_one_or_none() is not None
