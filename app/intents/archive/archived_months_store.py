"""Which months are in files, and a month on its way there: its rows in order, and its partition dropped."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ids import floor_id, id_above, instant_of
from app.intents.archive.month_file import ArchivedDecision
from app.intents.counts.store import is_counted
from app.intents.parts import store as decision_parts
from app.intents.parts.store import ReadParts
from app.intents.records.partitions import month_start, partition_name
from app.platform.outcomes import Conflict
from app.platform.written_json import written

_COLUMNS = "month, file, decisions, digest, file_bytes, file_sha256, archived_at"
_ALL = text(f"SELECT {_COLUMNS} FROM archived_months ORDER BY month")
_BETWEEN = text(
    f"SELECT {_COLUMNS} FROM archived_months WHERE month >= :first AND month <= :last ORDER BY month"
)
_ADD = text(
    """
    INSERT INTO archived_months (month, file, decisions, digest, file_bytes, file_sha256, archived_at)
    VALUES (:month, :file, :decisions, :digest, :file_bytes, :file_sha256, clock_timestamp())
    """
)
_REMOVE = text("DELETE FROM archived_months WHERE month = :month")
_PARTITIONS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'decisions'::regclass ORDER BY 1"
)
_SEALED_UNTIL = text("SELECT sealed_until, EXISTS (SELECT FROM seals) FROM seal_progress")
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """A month that is in a file: the file's name, what it holds, and what it was when it was verified."""

    month: date
    file: str
    decisions: int
    digest: bytes
    file_bytes: int
    file_sha256: bytes
    archived_at: datetime | None = None

    @property
    def start(self) -> datetime:
        """When the month begins."""
        return datetime(self.month.year, self.month.month, 1, tzinfo=UTC)

    @property
    def low(self) -> uuid.UUID:
        """The smallest id of the month."""
        return floor_id(self.start)

    @property
    def high(self) -> uuid.UUID:
        """The smallest id of the month behind it."""
        return floor_id(month_start(self.start, 1))


async def every_month(connection: AsyncConnection) -> list[ArchivedMonth]:
    """All that are in files, oldest first."""
    return [ArchivedMonth(*row) for row in await connection.execute(_ALL)]


async def months_between(connection: AsyncConnection, low: uuid.UUID, high: uuid.UUID) -> list[ArchivedMonth]:
    """Those that hold ids from ``low`` to below ``high``, oldest first; nearly always none."""
    first, last = (month_start(instant_of(each)).date() for each in (low, high))
    rows = await connection.execute(_BETWEEN, {"first": first, "last": last})
    return [month for month in (ArchivedMonth(*row) for row in rows) if month.low < high]


async def month_of(connection: AsyncConnection, decision_id: uuid.UUID) -> ArchivedMonth | None:
    """The one that holds the id, if it is in a file."""
    found = await months_between(connection, decision_id, id_above(decision_id))
    return next((month for month in found if month.low <= decision_id < month.high), None)


async def partitions_before(connection: AsyncConnection, before: datetime) -> list[datetime]:
    """The months that begin before that instant and are in Postgres, oldest first."""
    found = []
    for (name,) in await connection.execute(_PARTITIONS):
        year, month = name.removeprefix("decisions_").split("_")
        start = datetime(int(year), int(month), 1, tzinfo=UTC)
        if start < before:
            found.append(start)
    return found


async def sealed_until(connection: AsyncConnection) -> datetime | None:
    """Until when decisions are sealed; None where nothing is sealed at all."""
    row = (await connection.execute(_SEALED_UNTIL)).first()
    return row[0] if row is not None and row[1] else None


async def hold(connection: AsyncConnection, start: datetime) -> None:
    """Nobody appends to the month, nor makes a decision of it void, until the transaction ends; reading goes on."""
    await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    await connection.execute(text(f"LOCK TABLE {partition_name(start)} IN SHARE MODE"))


async def stream_month(
    connection: AsyncConnection, start: datetime
) -> AsyncGenerator[list[ArchivedDecision], None]:
    """Every row of the month in the order of accounts and ids, some at a time, those that were made void as well.

    Raises PartMissing where a decision cannot be put together.
    """
    # By pages: a cursor would stay open to the end of the transaction, which is to drop what it reads.
    statement = text(
        "SELECT account_id, id, key_id, decided_at, type, verdict, code, codes, to_number, from_number, purpose,"
        f" campaign, document ->> 'pool', {decision_parts.COLUMNS} FROM {partition_name(start)}"
        " WHERE (account_id, id) > (:account, :id) ORDER BY account_id, id LIMIT :limit"
    )
    parts, account, last = ReadParts(), uuid.UUID(int=0), uuid.UUID(int=0)
    while True:
        given = {"account": account, "id": last, "limit": _ROWS_AT_ONCE}
        rows = (await connection.execute(statement, given)).all()
        documents = await parts.documents(connection, [row[13:] for row in rows])
        yield [
            ArchivedDecision(*_utc(row[:13], written(document).decode()))
            for row, document in zip(rows, documents, strict=True)
        ]
        if len(rows) < _ROWS_AT_ONCE:
            return
        account, last = rows[-1][:2]


def _utc(values: Any, document: str) -> list[Any]:
    found = [*values, document]
    found[3] = found[3].astimezone(UTC)
    return found


async def count_month(connection: AsyncConnection, start: datetime) -> int:
    """How many rows the month has."""
    return int((await connection.execute(text(f"SELECT count(*) FROM {partition_name(start)}"))).scalar_one())


async def replace_partition(connection: AsyncConnection, start: datetime, moved: ArchivedMonth) -> None:
    """The month is in its file from the commit on, and its partition gone. Gives up at once while somebody reads it.

    Raises Conflict where its decisions are not counted: what is in a file is passed over by the counting.
    """
    await connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
    if not await is_counted(connection, moved.high):
        raise Conflict(f"{partition_name(start)} is being counted anew; try again when that is done")
    await connection.execute(
        _ADD,
        {
            "month": moved.month,
            "file": moved.file,
            "decisions": moved.decisions,
            "digest": moved.digest,
            "file_bytes": moved.file_bytes,
            "file_sha256": moved.file_sha256,
        },
    )
    await connection.execute(text(f"DROP TABLE {partition_name(start)}"))


async def forget_month(connection: AsyncConnection, month: date) -> None:
    """Its retention is over."""
    await connection.execute(_REMOVE, {"month": month})
