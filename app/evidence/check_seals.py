"""Hold every seal of an account against what is stored: whatever was changed, removed or added since is named.

The decisions of an hour are read in one pass beside the leaves of its seal, both in the order of their ids, so that
an account of any size takes little memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.evidence import store as evidence
from app.evidence.proof.merkle import root_of
from app.evidence.proof.record_bytes import MEMBERS, Kind, Leaf, hash_of_record, leaves_of, record_of
from app.evidence.proof.seal_body import LATE
from app.evidence.proof.seal_chain import PublicKey, SealChain
from app.evidence.sealed_history_store import HISTORIES, ids_since, some_of
from app.evidence.sealing.leaf_list import hashes_of
from app.evidence.sealing.seal_hours import HOUR
from app.evidence.store import Part
from app.ids import floor_id, instant_of
from app.intents.records import sealed_store as decisions

_ROWS_AT_ONCE = 1000
_INSTANTS: dict[Kind, str] = {
    "suppression": "at",
    "consent": "created_at",
    "consent_end": "ended_at",
    "reply": "received_at",
}
_NAMES: dict[Kind, str] = {
    "decision": "decision",
    "suppression": "event of a suppression",
    "consent": "consent",
    "consent_end": "end of a consent",
    "reply": "reply",
}


@dataclass(slots=True)
class Findings:
    """``wrong``: what is not as it was sealed. ``notes``: what is to be known, and proves nothing."""

    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seals: int = 0
    records: int = 0
    used_keys: dict[str, int] = field(default_factory=dict)


async def check_account(
    engine: AsyncEngine, account_id: uuid.UUID, keys: Mapping[str, PublicKey], retained_since: datetime
) -> Findings:
    """All seals of the account, in one snapshot. What was decided before ``retained_since`` may be gone."""
    async with engine.begin() as connection:
        await evidence.begin(connection)
        return await _Check(connection, account_id, keys, retained_since).run()


class _Check:
    def __init__(
        self,
        connection: AsyncConnection,
        account_id: uuid.UUID,
        keys: Mapping[str, PublicKey],
        retained_since: datetime,
    ) -> None:
        self._connection, self._account, self._retained = connection, account_id, retained_since
        self._chain = SealChain(keys, str(account_id), whole=True)
        self._found = Findings()
        self._unsealed: set[bytes] = set()  # decisions that are stored and that no seal so far has
        self._histories: dict[Kind, set[bytes]] = {kind: set() for kind in HISTORIES}

    async def run(self) -> Findings:
        """Seal by seal, then what no seal has."""
        since, sealed_until = await evidence.progress(self._connection)
        reached, behind = since, 0
        while some := await evidence.seals(self._connection, self._account, behind, 500):
            for seal in some:
                behind = seal.number
                self._found.seals += 1
                said, wrong = self._chain.take(seal)
                self._found.wrong += wrong
                if said is None:
                    continue
                hour = datetime.fromisoformat(said["hour"])
                await self._between(reached, hour)
                # A seal takes what came late to the hours before the seal before it, and nothing that is older.
                await self._records(seal.number, said, hour, max(since, reached - LATE))
                reached = max(reached, hour + HOUR)
        await self._between(reached, sealed_until)
        self._name_unsealed(sealed_until)
        await self._name_histories(since)
        self._found.used_keys = self._chain.used
        return self._found

    async def _between(self, low: datetime, high: datetime) -> None:
        """Hours that no seal is of: what is stored there came late, or was put there."""
        if low < high:
            bounds = floor_id(low), floor_id(high)
            async for ids in decisions.stream_ids(self._connection, self._account, *bounds):
                self._unsealed |= {each.bytes for each in ids}

    async def _records(self, number: int, said: Mapping[str, Any], hour: datetime, since: datetime) -> None:
        parts = await evidence.parts(self._connection, self._account, number)
        if not self._is_root(number, parts, said):
            return
        # What is forgotten with its decisions has its root still, so only its time tells it from what was removed.
        self._found.wrong += [
            f"part {part.part} of the leaves of seal {number} is gone, though what it is of is still to be kept"
            for part in parts
            if not part.leaves and hour >= self._retained
        ]
        low, high = floor_id(hour).bytes, floor_id(hour + HOUR).bytes
        others: dict[Kind, list[Leaf]] = {kind: [] for kind in ("decision", *HISTORIES)}
        try:
            for leaf in _each(parts):
                self._found.records += 1
                if leaf.kind != "decision" or not low <= leaf.id < high:
                    others[leaf.kind].append(leaf)
        except ValueError as error:
            self._found.wrong.append(f"the leaves of seal {number} cannot be read: {error}")
            return
        own = (leaf for leaf in _each(parts) if leaf.kind == "decision" and low <= leaf.id < high)
        await self._decisions(number, own, hour)
        oldest = min(floor_id(since).bytes, low)
        await self._late(number, self._possible(number, others["decision"], oldest, high))
        for kind in HISTORIES:
            await self._history(number, kind, others[kind], hour)

    def _possible(self, number: int, leaves: list[Leaf], oldest: bytes, high: bytes) -> list[Leaf]:
        """Those that such a seal can have. The root is over the hashes alone: a record that was removed could be given
        any kind and id in the list, one too among them whose retention is long over."""
        wrong = [leaf for leaf in leaves if not oldest <= leaf.id < high]
        self._found.wrong += [
            f"the leaves of seal {number} name the decision {uuid.UUID(bytes=leaf.id)}, which cannot be of it"
            for leaf in wrong
        ]
        return [leaf for leaf in leaves if oldest <= leaf.id < high] if wrong else leaves

    def _is_root(self, number: int, parts: list[Part], said: Mapping[str, Any]) -> bool:
        """Whether the list of leaves is the one that was signed; if not, no record can be held against it."""
        for part in parts:
            if part.leaves and root_of(hashes_of(part.leaves)) != part.root:
                self._found.wrong.append(f"part {part.part} of the leaves of seal {number} was changed")
                return False
        if root_of([part.root for part in parts]).hex() != said["root"]:
            self._found.wrong.append(f"the leaves of seal {number} are not those that it was made of")
            return False
        return True

    async def _decisions(self, number: int, leaves: Iterator[Leaf], hour: datetime) -> None:
        missing: list[Leaf] = []
        leaf = next(leaves, None)
        bounds = floor_id(hour), floor_id(hour + HOUR)
        async for rows in decisions.stream_sealed(self._connection, self._account, *bounds, _ROWS_AT_ONCE):
            for record_id, values in rows:
                here = record_id.bytes
                while leaf is not None and leaf.id < here:
                    missing.append(leaf)
                    leaf = next(leaves, None)
                if leaf is not None and leaf.id == here:
                    self._compare(number, leaf, values)
                    leaf = next(leaves, None)
                else:
                    self._unsealed.add(here)
        while leaf is not None:
            missing.append(leaf)
            leaf = next(leaves, None)
        await self._name_missing(number, missing)

    async def _late(self, number: int, leaves: list[Leaf]) -> None:
        """Decisions that were committed after their hour was sealed."""
        for some in _slices(leaves):
            ids = [uuid.UUID(bytes=leaf.id) for leaf in some]
            there = dict(await decisions.some_sealed(self._connection, self._account, ids))
            for leaf in some:
                self._unsealed.discard(leaf.id)
                values = there.get(uuid.UUID(bytes=leaf.id))
                if values is None or values[3] == "void":
                    await self._name_missing(number, [leaf])
                else:
                    self._compare(number, leaf, values)
        if leaves:
            self._found.notes.append(
                f"seal {number} has {len(leaves)} decisions of hours before it, which were committed late;"
                f" the first is {uuid.UUID(bytes=leaves[0].id)}"
            )

    async def _name_missing(self, number: int, leaves: list[Leaf]) -> None:
        for some in _slices(leaves):
            ids = [uuid.UUID(bytes=leaf.id) for leaf in some]
            there = dict(await decisions.some_sealed(self._connection, self._account, ids))
            for leaf in some:
                record_id = uuid.UUID(bytes=leaf.id)
                values = there.get(record_id)
                if values is None:
                    if instant_of(record_id) >= self._retained:
                        self._found.wrong.append(f"missing: decision {record_id} of seal {number}")
                    continue
                # What is made void was an approval, and nothing else of it changes.
                values[3] = "approved"
                if self._hash("decision", record_id, values) == leaf.hash:
                    self._found.wrong.append(
                        f"changed: decision {record_id} of seal {number} was made void after it was sealed"
                    )
                else:
                    self._found.wrong.append(f"changed: decision {record_id} of seal {number}")

    async def _history(self, number: int, kind: Kind, leaves: list[Leaf], hour: datetime) -> None:
        self._histories[kind] |= {leaf.id for leaf in leaves}
        at = MEMBERS[kind].index(_INSTANTS[kind])
        for some in _slices(leaves):
            ids = [uuid.UUID(bytes=leaf.id) for leaf in some]
            there = await some_of(self._connection, kind, self._account, ids)
            for leaf in some:
                record_id = uuid.UUID(bytes=leaf.id)
                values = there.get(record_id)
                if values is None:
                    self._found.wrong.append(f"missing: {_NAMES[kind]} {record_id} of seal {number}")
                    continue
                self._compare(number, leaf, values)
                if values[at] < hour - LATE and values[2] != "expired":
                    self._found.notes.append(
                        f"backdated: {_NAMES[kind]} {record_id} is dated {values[at]:%Y-%m-%d %H:%M} and was"
                        f" recorded in the hour of {hour:%Y-%m-%d %H:%M}, as seal {number} shows"
                    )

    def _compare(self, number: int, leaf: Leaf, values: list[Any]) -> None:
        record_id = uuid.UUID(bytes=leaf.id)
        unreadable = values[-1].get(decisions.UNREADABLE) if leaf.kind == "decision" else None
        if unreadable is not None:
            self._found.wrong.append(f"changed: decision {record_id} of seal {number}: {unreadable}")
        elif self._hash(leaf.kind, record_id, values) != leaf.hash:
            self._found.wrong.append(f"changed: {_NAMES[leaf.kind]} {record_id} of seal {number}")

    def _hash(self, kind: Kind, record_id: uuid.UUID, values: list[Any]) -> bytes:
        return hash_of_record(record_of(kind, str(self._account), str(record_id), values))

    def _name_unsealed(self, sealed_until: datetime) -> None:
        for each in sorted(self._unsealed):
            record_id = uuid.UUID(bytes=each)
            if instant_of(record_id) >= sealed_until - LATE:
                self._found.notes.append(
                    f"late: decision {record_id} was committed after its hour was sealed; the next seal takes it"
                )
            else:
                self._found.wrong.append(f"added: decision {record_id} is in no seal")

    async def _name_histories(self, since: datetime) -> None:
        waiting: dict[Kind, set[bytes]] = {kind: set() for kind in HISTORIES}
        for kind, ids in await evidence.waiting(self._connection, self._account):
            waiting[kind] |= {each.bytes for each in ids}
        for kind in HISTORIES:
            known = self._histories[kind] | waiting[kind]
            async for ids in ids_since(self._connection, kind, self._account, since):
                self._found.wrong += [
                    f"added: {_NAMES[kind]} {each} is in no seal" for each in ids if each.bytes not in known
                ]


def _each(parts: list[Part]) -> Iterator[Leaf]:
    """The leaves one by one: a million of them at once would take 200 MB."""
    return (leaf for part in parts for leaf in leaves_of(part.leaves))


def _slices(leaves: list[Leaf]) -> Iterable[list[Leaf]]:
    return (leaves[at : at + _ROWS_AT_ONCE] for at in range(0, len(leaves), _ROWS_AT_ONCE))
