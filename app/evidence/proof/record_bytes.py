"""The records that are sealed, as bytes: the same from the database today and from a file in ten years.

The bytes of a record are its members as JSON in UTF-8: keys sorted by their code points, no blanks, numbers in their
shortest form. Which members a kind has is fixed by the format, so that a column that a later release adds is not in
what an earlier one has sealed. ``docs/evidence.md`` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from app.evidence.proof.merkle import HASH_BYTES, leaf_hash
from app.platform.written_json import written

FORMAT = 1
Kind = Literal["decision", "suppression", "consent", "consent_end", "reply"]
CODES: dict[str, int] = {"decision": 1, "suppression": 2, "consent": 3, "consent_end": 4, "reply": 5}
KINDS: dict[int, Kind] = {1: "decision", 2: "suppression", 3: "consent", 4: "consent_end", 5: "reply"}
# What stands in the list of a seal's leaves: kind, id and hash.
LEAF_BYTES = 1 + 16 + HASH_BYTES
# The members of each kind besides ``record``, ``format``, ``id`` and ``account_id``.
MEMBERS: dict[Kind, tuple[str, ...]] = {
    "decision": (
        "key_id", "decided_at", "type", "verdict", "code", "codes", "to", "from", "purpose", "campaign", "document",
    ),
    "suppression": ("number", "channel", "action", "reason", "source", "key_id", "at", "expires_at"),
    "consent": (
        "number", "kind", "channels", "given_at", "expires_at", "evidence", "text_version", "created_at",
        "created_by",
    ),
    "consent_end": ("number", "ended_at", "ended_by"),
    "reply": ("from", "to", "action", "keyword", "words", "suppression_ids", "received_at", "key_id"),
}  # fmt: skip
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


@dataclass(frozen=True, slots=True)
class Leaf:
    """A record in a seal: which, and what its bytes hash to."""

    kind: Kind
    id: bytes
    hash: bytes

    def written(self) -> bytes:
        """As it stands in the list of a seal's leaves."""
        return bytes((CODES[self.kind],)) + self.id + self.hash


def record_of(kind: Kind, account_id: str, record_id: str, values: Sequence[Any]) -> dict[str, Any]:
    """A record of its kind's members in their order."""
    members = dict(zip(MEMBERS[kind], values, strict=True))
    return {"record": kind, "format": FORMAT, "id": record_id, "account_id": account_id, **members}


def bytes_of(record: Mapping[str, Any]) -> bytes:
    """What is hashed. A record that was read back from a file gives the same bytes as the one of the database."""
    return written(record, _OPTIONS)


def hash_of_record(record: Mapping[str, Any]) -> bytes:
    """The hash of the record's leaf."""
    return leaf_hash(bytes_of(record))


def leaves_of(written: bytes) -> list[Leaf]:
    """The leaves of a list as it is stored. Raises ValueError for what is none."""
    if len(written) % LEAF_BYTES:
        raise ValueError("a list of leaves has an odd end")
    found = []
    for at in range(0, len(written), LEAF_BYTES):
        kind = KINDS.get(written[at])
        if kind is None:
            raise ValueError(f"there is no kind {written[at]} of records")
        found.append(Leaf(kind, written[at + 1 : at + 17], written[at + 17 : at + LEAF_BYTES]))
    return found
