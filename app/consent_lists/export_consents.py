"""Export an account's consents: a stream in constant memory, from one snapshot."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.consent_lists.consent_lines import export_header, export_lines
from app.consent_lists.store import stream_consents
from app.platform.files.records import Format

_ROWS_AT_ONCE = 500


async def export_consents(
    engine: AsyncEngine,
    account_id: UUID,
    format: Format,
    *,
    now: datetime,
    on_consents: Callable[[int], None] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The consents in force at ``now`` by number, as a file that an import takes back unchanged.

    ``on_consents`` is told how many consents each piece holds.
    """
    # Nothing is said before Postgres has answered: a store that is away must be a 503, and no file that breaks off.
    header = export_header(format)
    async with aclosing(stream_consents(engine, account_id, now, rows_at_once=_ROWS_AT_ONCE)) as stream:
        async for consents in stream:
            if on_consents is not None:
                on_consents(len(consents))
            yield header + export_lines(consents, format)
            header = b""
    if header:
        yield header
