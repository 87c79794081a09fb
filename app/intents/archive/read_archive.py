"""Decisions of months that are in files, asked for as those in Postgres are.

The files are where ``CALLGATE_ARCHIVE_DIRECTORY`` says. A file that is missing or damaged is told to whoever asks for
its time (``ArchiveUnavailable``): what it held is never left out without a word.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from app.ids import id_above
from app.intents.archive.archived_months_store import ArchivedMonth
from app.intents.archive.month_file import ArchivedDecision, MonthFile, Order
from app.platform.outcomes import ArchiveUnavailable
from app.platform.postgres.bounded_pages import Page

T = TypeVar("T")
DIRECTORY = "CALLGATE_ARCHIVE_DIRECTORY"


def archive_directory() -> Path | None:
    """Where the files are; None where none is set."""
    told = os.environ.get(DIRECTORY, "")
    return Path(told) if told else None


async def need_files(months: Sequence[ArchivedMonth]) -> None:
    """Before a long answer begins. Raises ArchiveUnavailable where one of the files is not there as it was written."""

    def whole() -> None:
        for month in months:
            _path_of(month)

    if months:
        await asyncio.to_thread(whole)


async def find_archived(
    month: ArchivedMonth, account_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[ArchivedDecision]:
    """Those of the account's decisions that are in the month's file, in no order, the void ones among them."""
    return await _reading(month, lambda file: file.find(account_id, ids))


async def page_archived(
    month: ArchivedMonth,
    account_id: uuid.UUID,
    filters: Mapping[str, Any],
    *,
    low: uuid.UUID,
    high: uuid.UUID,
    order: Order,
    limit: int,
    seconds: float | None,
) -> Page[ArchivedDecision]:
    """Up to ``limit`` decisions of ids from ``low`` to below ``high`` that pass the filters, in that order.

    ``filters`` by name as app.intents.records.store has them; None is no filter. ``next_id`` is that of the last
    decision that was looked at, where more may follow: because there are enough, or ``seconds`` have passed.
    """
    asked = {name: value for name, value in filters.items() if value is not None}
    return await _reading(
        month, lambda file: _page(file, account_id, asked, low, high, order, limit, seconds)
    )


async def stream_archived(
    month: ArchivedMonth,
    account_id: uuid.UUID,
    filters: Mapping[str, Any],
    *,
    low: uuid.UUID,
    high: uuid.UUID,
    rows_at_once: int,
) -> AsyncGenerator[Sequence[ArchivedDecision], None]:
    """The month's decisions of ids from ``low`` to below ``high`` that pass the filters, oldest first."""
    begin: uuid.UUID | None = max(low, month.low)
    while begin is not None:
        page = await page_archived(
            month,
            account_id,
            filters,
            low=begin,
            high=min(high, month.high),
            order="ASC",
            limit=rows_at_once,
            seconds=None,
        )
        if page.rows:
            yield page.rows
        begin = id_above(page.next_id) if page.next_id else None


async def stream_members(
    month: ArchivedMonth, columns: Sequence[str]
) -> AsyncGenerator[list[tuple[Any, ...]], None]:
    """These columns of every decision of the month, of all accounts, the void ones among them; ids as bytes."""
    file = await asyncio.to_thread(lambda: MonthFile(_path_of(month)))
    try:
        groups = file.every_member(columns)
        while (rows := await asyncio.to_thread(next, groups, None)) is not None:
            yield rows
    finally:
        file.close()


async def _reading(month: ArchivedMonth, work: Callable[[MonthFile], T]) -> T:
    def whole() -> T:
        with _opened(month) as file:
            return work(file)

    return await asyncio.to_thread(whole)


def _path_of(month: ArchivedMonth) -> Path:
    directory = archive_directory()
    if directory is None:
        raise ArchiveUnavailable(f"{month.file} is wanted, and {DIRECTORY} does not say where it is")
    path = directory / month.file
    try:
        size = path.stat().st_size
    except OSError:
        raise ArchiveUnavailable(f"{month.file} is missing in the archive's directory") from None
    if size != month.file_bytes:
        raise ArchiveUnavailable(f"{month.file} in the archive's directory is damaged (its length)")
    return path


@contextmanager
def _opened(month: ArchivedMonth) -> Iterator[MonthFile]:
    file = MonthFile(_path_of(month))
    try:
        yield file
    finally:
        file.close()


def _page(
    file: MonthFile,
    account_id: uuid.UUID,
    asked: Mapping[str, Any],
    low: uuid.UUID,
    high: uuid.UUID,
    order: Order,
    limit: int,
    seconds: float | None,
) -> Page[ArchivedDecision]:
    tests = [
        (name, _COLUMN.get(name, name), _TESTS[name], value)
        for name, value in asked.items()
        if name in _TESTS
    ]
    columns = ["verdict", *(column for _, column, _, _ in tests)]
    began, found = time.monotonic(), list[ArchivedDecision]()
    groups = file.groups_of(account_id, low, high, order)
    for turn, at in enumerate(groups):
        table, places = file.group(at, account_id, low, high, order, columns)
        passing = [place for place in places if table.column("verdict")[place].as_py() != "void"]
        for _, column, passes, value in tests:
            values = table.column(column).to_pylist()
            passing = [place for place in passing if passes(values[place], value)]
        left = limit - len(found)
        found += file.rows_at(at, passing[:left])
        if len(passing) > left or (len(passing) == left and turn + 1 < len(groups)):
            return Page(found, found[-1].id)
        if seconds is not None and time.monotonic() - began > seconds and turn + 1 < len(groups) and places:
            return Page(found, uuid.UUID(bytes=table.column("id")[places[-1]].as_py()))
    return Page(found, None)


# What a value of a row has to be. The names of filters that are no column's are in _COLUMN.
_COLUMN = {
    "to": "to_number",
    "to_prefix": "to_number",
    "to_ending": "to_number",
    "from": "from_number",
    "code": "codes",
    "since": "decided_at",
    "until": "decided_at",
}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "to": lambda value, wanted: not wanted or value in wanted,
    "to_prefix": lambda value, wanted: value.startswith(wanted),
    "to_ending": lambda value, wanted: value.endswith(wanted),
    "from": lambda value, wanted: value == wanted,
    "type": lambda value, wanted: value == wanted,
    "verdict": lambda value, wanted: value == wanted,
    "code": lambda value, wanted: wanted in value,
    "campaign": lambda value, wanted: value == wanted,
    "purpose": lambda value, wanted: value == wanted,
    "pool": lambda value, wanted: value == wanted,
    "key_id": lambda value, wanted: value == uuid.UUID(str(wanted)).bytes,
    "since": lambda value, wanted: value >= wanted,
    "until": lambda value, wanted: value < wanted,
}
