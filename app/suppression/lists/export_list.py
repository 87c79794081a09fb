"""Export an account's suppression list: a stream in constant memory, from one snapshot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.platform.files.records import Format
from app.suppression.lists.leaving_store import stream_entries
from app.suppression.lists.list_format import export_header, export_lines

_ROWS_AT_ONCE = 500


async def export_suppressions(
    engine: AsyncEngine,
    account_id: UUID,
    format: Format,
    *,
    now: datetime,
    on_entries: Callable[[int], None] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The entries in force at ``now`` by number, as a file that an import takes back unchanged.

    ``on_entries`` is told how many entries each piece holds.
    """
    # Nothing is said before Postgres has answered: a store that is away must be a 503, and no file that breaks off.
    header = export_header(format)
    async with aclosing(stream_entries(engine, account_id, now, rows_at_once=_ROWS_AT_ONCE)) as stream:
        async for entries in stream:
            if on_entries is not None:
                on_entries(len(entries))
            yield header + export_lines(entries, format)
            header = b""
    if header:
        yield header
