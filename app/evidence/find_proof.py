"""Where a record was sealed, and what it takes besides its bytes to come to the root that was signed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.evidence import store as evidence
from app.evidence.proof.merkle import path_of
from app.evidence.proof.record_bytes import CODES, LEAF_BYTES, Kind
from app.evidence.proof.seal_body import LATE
from app.evidence.sealing.leaf_list import PART_LEAVES, hashes_of
from app.evidence.sealing.seal_hours import HOUR, hour_of
from app.ids import instant_of


@dataclass(frozen=True, slots=True)
class Proof:
    """The seal, the record's place among its leaves, and the path from there to its root."""

    seal: int
    index: int
    path: list[bytes]


async def find_proof(
    connection: AsyncConnection, account_id: uuid.UUID, kind: Kind, record_id: uuid.UUID, at: datetime
) -> Proof | None:
    """The proof of the record, which began to be at ``at``; None when it is in no seal."""
    wanted = bytes((CODES[kind],)) + record_id.bytes
    # A history is dated by a process's clock and arrives by Postgres's, which may be a little behind it.
    begun = hour_of(instant_of(record_id) if kind == "decision" else at - HOUR)
    numbers = await evidence.seals_from(connection, account_id, begun, 1)
    if not numbers:
        return None
    # Nearly always the seal of its hour, or the next; then those in which it can be late, then whatever else.
    first, last = numbers[0], 1 << 62
    bounds = ((first, first + 2), (first + 3, first + int(LATE.total_seconds() // 3600)))
    stretches = bounds if kind == "decision" else (*bounds, (bounds[1][1] + 1, last))
    for low, high in stretches:
        found = await evidence.part_with(connection, account_id, low, high, wanted)
        if found is None:
            continue
        number, part, leaves = found
        inside = _place(leaves, wanted)
        if inside is None:
            return None
        roots = await evidence.part_roots(connection, account_id, number)
        path = path_of(hashes_of(leaves), inside) + path_of(roots, part)
        return Proof(number, part * PART_LEAVES + inside, path)
    return None


def _place(leaves: bytes, wanted: bytes) -> int | None:
    at = leaves.find(wanted)
    while at % LEAF_BYTES and at >= 0:
        at = leaves.find(wanted, at + 1)
    return at // LEAF_BYTES if at >= 0 else None
