"""Which registries list a number, which of them are too old to be relied on, and their settings.

The questions are SQL fragments, so that the one query that gathers the facts of an intent can ask them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.guardrails.facts import RegistryHit, StaleRegistry
from app.postgres.line_sql import under_every_spelling
from app.postgres.registry_loading import hold_registry

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
REGION_PATTERN = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"  # ISO 3166


def block_has(bits_sql: str, offset_sql: str) -> str:
    """SQL that is true when the stored block ``bits_sql`` lists the offset (0 to 9,999).

    The two forms of a block, and why a byte search is exact, are told in ``app.lists.bitmaps``.
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
    each spelling, however many registries there are.
    """

    def listed(number: str) -> str:
        n = f"substr({number}, 2)::bigint"
        return f"""SELECT b.version_id FROM registry_blocks AS b
                    WHERE b.block = {n} / 10000 AND {block_has("b.bits", f"({n} % 10000)::int")}"""

    return f"""(
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'registry', r.name, 'kind', r.kind, 'region', r.region, 'version_date', r.version_date,
                   'applies_to', r.applies_to, 'purposes', r.purposes)), '[]'::jsonb)
          FROM registries AS r
         WHERE r.active_version_id IN {under_every_spelling(listed, number_sql, others_sql)}
    )"""


def stale_registries_sql(now_sql: str) -> str:
    """A scalar subquery: jsonb array of the registries past their ``max_age_days``, with what they bind.

    ``now_sql`` is an expression of type timestamptz. The age is counted in whole days of UTC from the date of
    the list. A registry that has a ``max_age_days`` but was never loaded is stale too: what it would say is
    unknown.
    """
    return f"""(
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'registry', r.name, 'version_date', r.version_date,
                   'applies_to', r.applies_to, 'purposes', r.purposes) ORDER BY r.name), '[]'::jsonb)
          FROM registries AS r
         WHERE r.max_age_days IS NOT NULL
           AND (r.version_date IS NULL
                OR ({now_sql} AT TIME ZONE 'UTC')::date - r.version_date > r.max_age_days)
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
        )
        for row in sorted(rows, key=lambda row: str(row["registry"]))
    )


def stale_from_json(rows: Sequence[Mapping[str, Any]]) -> tuple[StaleRegistry, ...]:
    """What ``stale_registries_sql`` found, decoded from JSON already, as facts."""
    return tuple(
        StaleRegistry(
            row["registry"], row["version_date"], frozenset(row["applies_to"]), frozenset(row["purposes"])
        )
        for row in rows
    )


_LOOKUP_MANY = text(
    f"""
    SELECT ask.number, found.hits
      FROM unnest(CAST(:numbers AS text[])) AS ask(number)
     CROSS JOIN LATERAL (SELECT {registry_hits_sql("ask.number")} AS hits OFFSET 0) AS found
     WHERE found.hits <> '[]'::jsonb
    """
)
_STALE = text(f"SELECT {stale_registries_sql('CAST(:now AS timestamptz)')}")


async def lookup_many(
    connection: AsyncConnection, numbers: Sequence[str]
) -> dict[str, tuple[RegistryHit, ...]]:
    """The hits of many E.164 numbers as spelled, in one query; numbers that stand in no registry are left out."""
    rows = await connection.execute(_LOOKUP_MANY, {"numbers": list(numbers)})
    return {number: hits_from_json(hits) for number, hits in rows}


async def stale_registries(connection: AsyncConnection, now: datetime) -> list[str]:
    """The names of the registries that are too old to be relied on at ``now``."""
    found = (await connection.execute(_STALE, {"now": now})).scalar_one()
    return [registry["registry"] for registry in found]


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
    def stale(self) -> bool:
        """Too old to be relied on; the same rule as ``stale_registries_sql``."""
        return self.max_age_days is not None and (self.age_days is None or self.age_days > self.max_age_days)

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
    return (await connection.execute(_DELETE, {"name": name})).scalar_one_or_none() is not None
