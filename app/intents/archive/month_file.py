"""A month of decisions as a Parquet file: written in the order of accounts and ids, read by stretches of rows.

The file needs nothing beside it: documents are whole, and any reader of Parquet can open it. Every page of it has a
checksum, which is held against what is read. Its own metadata tell which accounts and ids each group of rows goes from
and to, so that one decision is found by reading one group. The packages that read and write it are an extra.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import orjson

from app.platform.outcomes import ArchiveUnavailable
from app.platform.written_json import written

ROWS_A_GROUP = 4096
_INDEX, _INDEX_HASH = b"callgate.groups", b"callgate.groups.sha256"
# What the reader of Parquet says of a footer or a page that was changed.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, NotImplementedError, MemoryError)
# What every column is: the ids as 16 bytes, so that they take no more than in Postgres.
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("account_id", "id"),
    ("id", "id"),
    ("key_id", "id"),
    ("decided_at", "instant"),
    ("type", "text"),
    ("verdict", "text"),
    ("code", "text"),
    ("codes", "texts"),
    ("to_number", "text"),
    ("from_number", "text"),
    ("purpose", "text"),
    ("campaign", "text"),
    ("pool", "text"),
    ("document", "text"),
)
NAMES = tuple(name for name, _ in _COLUMNS)
_IDS = frozenset(name for name, kind in _COLUMNS if kind == "id")
Order = Literal["ASC", "DESC"]
LOWEST, HIGHEST = uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1)


class ArchivedDecision(NamedTuple):
    """A decision as its file has it; ``document`` is JSON, ``pool`` is of the document."""

    account_id: uuid.UUID
    id: uuid.UUID
    key_id: uuid.UUID
    decided_at: datetime
    type: str
    verdict: str
    code: str | None
    codes: list[str]
    to_number: str
    from_number: str
    purpose: str
    campaign: str | None
    pool: str | None
    document: str


class _Group(NamedTuple):
    """A group of rows: the account and id that it begins with, and those that it ends with."""

    first: tuple[bytes, bytes]
    last: tuple[bytes, bytes]


class RowDigest:
    """SHA-256 over decisions in their order: the same from Postgres and from the file."""

    def __init__(self) -> None:
        self._hash, self.rows = hashlib.sha256(), 0

    def add(self, rows: Sequence[ArchivedDecision]) -> None:
        """Some more."""
        for row in rows:
            values = [*row[:13], orjson.loads(row.document)]
            # The driver's ids are a kind of their own.
            self._hash.update(written(values, orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE, str))
        self.rows += len(rows)

    def digest(self) -> bytes:
        """Of all that were added."""
        return self._hash.digest()


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ArchiveUnavailable("months in files need the extra: pip install 'callgate[archive]'") from None
    return pyarrow, pyarrow.parquet


class MonthWriter:
    """Writes a file of the name, beside it until it is whole. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path, self._partial = path, path.with_name(path.name + ".part")
        self._arrow, parquet = _arrow()
        pa = self._arrow
        kinds = {
            "id": pa.binary(16),
            "instant": pa.timestamp("us", tz="UTC"),
            "text": pa.string(),
            "texts": pa.list_(pa.string()),
        }
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in _COLUMNS])
        self._writer = parquet.ParquetWriter(
            self._partial,
            self._schema,
            compression="zstd",
            compression_level=9,
            write_page_checksum=True,
            data_page_version="2.0",
        )
        self._waiting: list[ArchivedDecision] = []
        self._groups: list[list[str]] = []

    def add(self, rows: Sequence[ArchivedDecision]) -> None:
        """Some more, behind those before in the order of accounts and ids."""
        self._waiting += rows
        while len(self._waiting) >= ROWS_A_GROUP:
            self._write(self._waiting[:ROWS_A_GROUP])
            del self._waiting[:ROWS_A_GROUP]

    def _write(self, rows: Sequence[ArchivedDecision]) -> None:
        columns = [
            [None if value is None else value.bytes for value in column] if name in _IDS else list(column)
            for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)
        ]
        table = self._arrow.Table.from_arrays(
            [
                self._arrow.array(column, type=field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ],
            schema=self._schema,
        )
        self._writer.write_table(table, row_group_size=ROWS_A_GROUP)
        ends = rows[0], rows[-1]
        self._groups.append([value.hex for end in ends for value in (end.account_id, end.id)])

    def __enter__(self) -> MonthWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._waiting:
            self._write(self._waiting)
        index = orjson.dumps(self._groups)
        self._writer.add_key_value_metadata({_INDEX: index, _INDEX_HASH: hashlib.sha256(index).hexdigest()})
        self._writer.close()
        if kind is not None:
            self._partial.unlink(missing_ok=True)
            return
        with self._partial.open("rb+") as file:
            os.fsync(file.fileno())
        self._partial.replace(self._path)
        _sync_directory(self._path.parent)


class MonthFile:
    """A file that is there. Raises ArchiveUnavailable where it is not, or is not what was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        _, parquet = _arrow()
        try:
            self._file = parquet.ParquetFile(path, page_checksum_verification=True)
            told, names = self._file.metadata.metadata, self._file.schema_arrow.names
            index = told[_INDEX]
            self._groups = [
                _Group(*((bytes.fromhex(at[i]), bytes.fromhex(at[i + 1])) for i in (0, 2)))
                for at in orjson.loads(index)
            ]
        except FileNotFoundError:
            raise ArchiveUnavailable(f"{path.name} is missing in the archive's directory") from None
        except _DAMAGE as error:
            raise self._damaged(error) from error
        # Pages have checksums and the footer has none; of its own index nothing may be left out without a word.
        whole = told.get(_INDEX_HASH, b"") in (b"", hashlib.sha256(index).hexdigest().encode())
        if not whole or names != list(NAMES) or len(self._groups) != self._file.num_row_groups:
            raise ArchiveUnavailable(f"{path.name} in the archive's directory is damaged (its footer)")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def find(self, account_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[ArchivedDecision]:
        """Those of the account's decisions that are there, in no order."""
        wanted: dict[int, set[bytes]] = {}
        for each in ids:
            key = account_id.bytes, each.bytes
            at = bisect_left(self._groups, key, key=lambda group: group.last)
            if at < len(self._groups) and self._groups[at].first <= key:
                wanted.setdefault(at, set()).add(each.bytes)
        found = []
        for at, of_group in wanted.items():
            table = self._read(at, ["account_id", "id"]).to_pydict()
            places = [
                place
                for place, (account, row_id) in enumerate(zip(table["account_id"], table["id"], strict=True))
                if account == account_id.bytes and row_id in of_group
            ]
            if places:
                found += self._rows(self._read(at, list(NAMES)).take(places))
        return found

    def groups_of(self, account_id: uuid.UUID, low: uuid.UUID, high: uuid.UUID, order: Order) -> list[int]:
        """The groups that hold the account's decisions from ``low`` to below ``high``, in that order."""
        begin, end = (account_id.bytes, low.bytes), (account_id.bytes, high.bytes)
        found = [at for at, group in enumerate(self._groups) if group.last >= begin and group.first < end]
        return found if order == "ASC" else found[::-1]

    def group(
        self,
        at: int,
        account_id: uuid.UUID,
        low: uuid.UUID,
        high: uuid.UUID,
        order: Order,
        columns: Sequence[str],
    ) -> tuple[Any, list[int]]:
        """Those columns of a group, and the places in it of the account's decisions in that range, in order."""
        table = self._read(at, sorted({"account_id", "id", *columns}))
        accounts, ids = table.column("account_id").to_pylist(), table.column("id").to_pylist()
        places = [
            place
            for place, (account, row_id) in enumerate(zip(accounts, ids, strict=True))
            if account == account_id.bytes and low.bytes <= row_id < high.bytes
        ]
        return table, places if order == "ASC" else places[::-1]

    def rows_at(self, at: int, places: Sequence[int]) -> list[ArchivedDecision]:
        """The decisions in those places of a group."""
        return self._rows(self._read(at, list(NAMES)).take(list(places))) if places else []

    def every_row(self) -> Iterator[list[ArchivedDecision]]:
        """The whole file, group by group."""
        for at in range(len(self._groups)):
            yield self._rows(self._read(at, list(NAMES)))

    def every_member(self, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """These columns of the whole file, group by group, as they stand there: ids as bytes."""
        for at in range(len(self._groups)):
            table = self._read(at, list(columns))
            try:
                yield list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))
            except _DAMAGE as error:
                raise self._damaged(error) from error

    def _read(self, at: int, columns: list[str]) -> Any:
        try:
            return self._file.read_row_group(at, columns=columns)
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _rows(self, table: Any) -> list[ArchivedDecision]:
        columns = []
        try:
            for name in NAMES:
                values = table.column(name).to_pylist()
                columns.append([uuid.UUID(bytes=value) for value in values] if name in _IDS else values)
            return [
                ArchivedDecision(*row)._replace(decided_at=row[3].astimezone(UTC))
                for row in zip(*columns, strict=True)
            ]
        except (*_DAMAGE, AttributeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ArchiveUnavailable:
        return ArchiveUnavailable(
            f"{self._path.name} in the archive's directory is damaged ({type(error).__name__})"
        )


def sha256_of(path: Path) -> bytes:
    """Of the file as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
