"""The rows of a list that could not be taken: by line, and counted by what was wrong with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.platform.files.rejects import Reject

_REJECTS = text("SELECT line, value, reason FROM job_rejects WHERE job_id = :id ORDER BY line")
_REJECTS_BEHIND = text(
    "SELECT line, value, reason FROM job_rejects WHERE job_id = :id AND line > :line ORDER BY line LIMIT :limit"
)
# Of those that were kept, which are bounded.
_WHY = text(
    "SELECT reason, count(*) FROM job_rejects WHERE job_id = :id GROUP BY reason ORDER BY 2 DESC, 1 LIMIT :limit"
)


async def stream_rejects(
    engine: AsyncEngine, job_id: UUID, *, rows_at_once: int = 500
) -> AsyncGenerator[Sequence[Reject], None]:
    """The rejects by line, some at a time, through a cursor in a transaction of its own."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.stream(_REJECTS, {"id": job_id}) as result:
            async for rows in result.partitions(rows_at_once):
                yield [Reject(*row) for row in rows]


async def rejects_behind(connection: AsyncConnection, job_id: UUID, line: int, limit: int) -> list[Reject]:
    """The job's rejects behind a line of the list, by line."""
    given = {"id": job_id, "line": line, "limit": limit}
    return [Reject(*row) for row in await connection.execute(_REJECTS_BEHIND, given)]


async def reject_reasons(connection: AsyncConnection, job_id: UUID, limit: int) -> list[tuple[str, int]]:
    """Why rows were rejected, and how many for each reason, the most first."""
    rows = await connection.execute(_WHY, {"id": job_id, "limit": limit})
    return [(reason, count) for reason, count in rows]
