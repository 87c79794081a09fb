"""Lists as the tests send them, and what a registry holds as a plain Python set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.suppression.registries.bitmaps import BLOCK_NUMBERS, offsets_of
from app.suppression.registries.store import put_registry

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def chunks_of(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """The bytes in pieces, as a request's body comes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def line_of(number: int, *, flat: bool) -> str:
    """A number as a line: the FTC's form where it can be, else E.164."""
    digits = str(number)
    if flat and len(digits) == 11 and digits[0] == "1" and digits[1] >= "2":
        return f"{digits[1:4]},{digits[4:]}"
    return f"+{digits}"


def list_of(numbers: Iterable[int], *, flat: bool = True, end: str = "\n") -> bytes:
    """A full list."""
    return "".join(line_of(number, flat=flat) + end for number in numbers).encode()


async def make_registry(engine: AsyncEngine, name: str = "national", max_age_days: int | None = None) -> None:
    """A registry without numbers."""
    async with engine.begin() as connection:
        await put_registry(
            connection,
            name,
            kind="national_dnc",
            region=None,
            applies_to=["call", "sms"],
            purposes=["marketing"],
            max_age_days=max_age_days,
            now=NOW,
        )


async def held(engine: AsyncEngine, name: str = "national") -> set[int]:
    """Every number of the version in force."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT block, bits FROM registry_blocks b"
                " JOIN registries r ON r.active_version_id = b.version_id WHERE r.name = :name"
            ),
            {"name": name},
        )
        return {
            block * BLOCK_NUMBERS + offset for block, bits in rows for offset in offsets_of(bits).tolist()
        }
