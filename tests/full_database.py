"""A row in every table of a database, and a digest of each table: what a backup is held against."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import asyncpg

_TABLES = """
    SELECT c.oid::regclass::text FROM pg_class AS c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     ORDER BY 1
"""
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL) AS kind FROM pg_attribute AS a
     WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
       AND NOT a.atthasdef AND a.attidentity = ''
"""
_MADE_UP = {
    "uuid": "gen_random_uuid()",
    "text": "'made up'",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "bytea": "'\\x01'",
    "jsonb": "'{}'",
    "boolean": "true",
    "uuid[]": "'{}'",
    "text[]": "'{}'",
}
# What the tables ask of some of their columns, whose rows nobody makes here by a request.
_CHOSEN: Mapping[tuple[str, str], str] = {
    ("consents", "kind"): "'express'",
    ("decision_counts", "span"): "'hour'",
    ("job_rejects", "job_id"): "(SELECT id FROM jobs LIMIT 1)",
    ("jobs", "kind"): "'consent_import'",
    ("jobs", "status"): "'failed'",
    ("outcomes", "result"): "'answered'",
    ("registries", "kind"): "'custom'",
    ("registry_versions", "registry"): "(SELECT name FROM registries LIMIT 1)",
    ("registry_versions", "state"): "'retired'",
    ("webhook_deliveries", "status"): "'waiting'",
    ("webhook_deliveries", "webhook_id"): "(SELECT id FROM webhooks LIMIT 1)",
}
_OTHERS_LEAD_HERE = ("jobs", "registries", "webhooks")


async def _fill(url: str, account_id: str) -> list[str]:
    connection = await asyncpg.connect(url)
    filled = []
    try:
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        for table in dict.fromkeys([*_OTHERS_LEAD_HERE, *tables]):
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                continue
            values = {
                name: _CHOSEN.get((table, name))
                or (f"'{account_id}'" if name == "account_id" else _MADE_UP.get(kind, "1"))
                for name, kind in await connection.fetch(_COLUMNS, table)
            }
            values |= {column: value for (of, column), value in _CHOSEN.items() if of == table}
            await connection.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
            )
            filled.append(table)
    finally:
        await connection.close()
    return filled


async def _digests(url: str) -> dict[str, tuple[int, str]]:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        found = {}
        for (table,) in await connection.fetch(_TABLES):
            rows, digest = await connection.fetchrow(
                f"SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {table} AS t"
            )
            found[table] = rows, digest
        return found
    finally:
        await connection.close()


def fill_what_is_empty(url: str, account_id: str) -> list[str]:
    """Put a row of the account's into every table that has none; answers which they were."""
    return asyncio.run(_fill(url.replace("+asyncpg", ""), account_id))


def digests(url: str) -> dict[str, tuple[int, str]]:
    """Of each table the number of its rows, and a digest of all of them."""
    return asyncio.run(_digests(url.replace("+asyncpg", "")))
