"""The evidence of one number as a ZIP: read from one snapshot, streamed, and signed at its end."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app import VERSION
from app.evidence import store as evidence
from app.evidence.bundle import bundle_format as names
from app.evidence.bundle.read_me import TEXT
from app.evidence.bundle.zip_stream import Member, ZipStream
from app.evidence.find_proof import find_proof
from app.evidence.proof.merkle import leaf_hash
from app.evidence.proof.record_bytes import MEMBERS, Kind, bytes_of, record_of
from app.evidence.proof.signing import SealKey, SealKeyError
from app.evidence.seal_documents import key_document, seal_document
from app.evidence.sealed_history_store import HISTORIES, of_number
from app.evidence.sealing import rule_text_store as rule_texts
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.ids import floor_id
from app.instants import rfc3339
from app.intents.records import sealed_store as decisions
from app.platform.outcomes import FieldFault, Unusable

MOST_RECORDS = 20_000
_AT_ONCE = 200
_ID_BEFORE_DECISION = timedelta(days=1)
_INSTANTS: dict[Kind, int] = {
    "suppression": MEMBERS["suppression"].index("at"),
    "consent": MEMBERS["consent"].index("created_at"),
    "consent_end": MEMBERS["consent_end"].index("ended_at"),
    "reply": MEMBERS["reply"].index("received_at"),
}
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose evidence, about which line, of which period."""

    account_id: uuid.UUID
    number: str
    spellings: Sequence[str]
    since: datetime
    until: datetime


@dataclass(slots=True)
class _Written:
    """What was written so far that the rest depends on."""

    records: list[dict[str, Any]] = field(default_factory=list)
    first_seal: int = 0
    packs: set[str] = field(default_factory=set)
    intents: list[uuid.UUID] = field(default_factory=list)


async def evidence_of(
    engine: AsyncEngine, asked: Asked, seal_key: SealKeyFile | None, now: datetime
) -> AsyncGenerator[bytes, None]:
    """The ZIP, piece by piece. Raises Unusable before the first piece when there are too many records.

    Without a key that can be read the file is not signed as a whole; its seals are as they are.
    """
    key = _readable(seal_key)
    async with engine.begin() as connection:
        await evidence.begin(connection)
        histories = await _histories(connection, asked)
        zipped, written = ZipStream(now), _Written()
        zipped.put(names.README, _read_me(asked).encode())
        with zipped.member(names.RECORDS) as member:
            async for rows in _decisions(connection, asked):
                for record_id, values in rows:
                    await _write(connection, asked, member, written, "decision", record_id, values)
                if piece := zipped.taken():
                    yield piece
            for kind, found in histories.items():
                for record_id, values in found:
                    await _write(connection, asked, member, written, kind, record_id, values)
        yield zipped.taken()
        async for piece in _rest(connection, asked, zipped, written):
            yield piece
        manifest = orjson.dumps(_manifest(asked, zipped, written, key, now), option=_OPTIONS)
        zipped.put(names.MANIFEST, manifest)
        if key is not None:
            zipped.put(names.SIGNATURE, key.sign(names.signed_manifest(manifest)))
        zipped.close()
        yield zipped.taken()


async def _decisions(
    connection: AsyncConnection, asked: Asked
) -> AsyncGenerator[list[decisions.Sealed], None]:
    low, high = floor_id(asked.since - _ID_BEFORE_DECISION), floor_id(asked.until)
    while rows := await decisions.sealed_of_number(
        connection, asked.account_id, asked.spellings, low, high, _AT_ONCE
    ):
        low = uuid.UUID(int=rows[-1][0].int + 1)
        yield [row for row in rows if asked.since <= row[1][1] < asked.until]


async def _histories(
    connection: AsyncConnection, asked: Asked
) -> dict[Kind, list[tuple[uuid.UUID, list[Any]]]]:
    found: dict[Kind, list[tuple[uuid.UUID, list[Any]]]] = {}
    for kind in HISTORIES:
        found[kind] = await of_number(
            connection,
            kind,
            asked.account_id,
            asked.spellings,
            asked.since,
            asked.until,
            MOST_RECORDS + 1,
        )
    low, high = floor_id(asked.since - _ID_BEFORE_DECISION), floor_id(asked.until)
    decided = await decisions.count_of_number(
        connection, asked.account_id, asked.spellings, low, high, MOST_RECORDS + 1
    )
    if decided + sum(map(len, found.values())) > MOST_RECORDS:
        _too_many()
    return found


def _too_many() -> None:
    reason = f"there are more than {MOST_RECORDS} records of this period; ask for a shorter one"
    raise Unusable([FieldFault("since", reason, "")])


async def _write(
    connection: AsyncConnection,
    asked: Asked,
    member: Member,
    written: _Written,
    kind: Kind,
    record_id: uuid.UUID,
    values: list[Any],
) -> None:
    record = record_of(kind, str(asked.account_id), str(record_id), values)
    content = bytes_of(record)
    at = values[1] if kind == "decision" else values[_INSTANTS[kind]]
    proof = await find_proof(connection, asked.account_id, kind, record_id, at)
    beside = {
        "seal": proof.seal if proof else None,
        "index": proof.index if proof else None,
        "proof": [each.hex() for each in proof.path] if proof else [],
    }
    # The record stands in the line as it was hashed, byte for byte.
    member.write(b'{"record":' + content + b"," + orjson.dumps(beside)[1:] + b"\n")
    written.records.append(
        {"record": kind, "id": str(record_id), "hash": leaf_hash(content).hex(), "seal": beside["seal"]}
    )
    if proof is not None and (not written.first_seal or proof.seal < written.first_seal):
        written.first_seal = proof.seal
    if kind == "decision":
        written.intents.append(record_id)
        pack = values[-1].get("versions", {}).get("law")
        if isinstance(pack, str):
            written.packs.add(pack)


async def _rest(
    connection: AsyncConnection, asked: Asked, zipped: ZipStream, written: _Written
) -> AsyncGenerator[bytes, None]:
    """The seals from the first that is needed to the newest, the keys, the rules, registries and outcomes."""
    with zipped.member(names.SEALS) as member:
        behind = written.first_seal - 1
        while written.first_seal and (
            some := await evidence.seals(connection, asked.account_id, behind, 500)
        ):
            behind = some[-1].number
            for seal in some:
                member.write(orjson.dumps(seal_document(seal), option=_OPTIONS) + b"\n")
            yield zipped.taken()
    keys = [key_document(key) for key in await evidence.keys(connection)]
    zipped.put(names.KEYS, orjson.dumps({"keys": keys}, option=_OPTIONS))
    for digest, _, files in await rule_texts.fetch(connection, sorted(written.packs)):
        for name, content in sorted(files.items()):
            zipped.put(f"{names.RULES}{digest}/{name}", content.encode())
        yield zipped.taken()
    versions = await rule_texts.registry_versions(connection, asked.until)
    zipped.put(names.REGISTRIES, orjson.dumps(versions, option=_OPTIONS))
    with zipped.member(names.OUTCOMES) as member:
        for first in range(0, len(written.intents), 1000):
            some_ids = written.intents[first : first + 1000]
            for outcome in await rule_texts.outcomes_of(connection, asked.account_id, some_ids):
                told = {**outcome, "intent_id": str(outcome["intent_id"])}
                member.write(orjson.dumps(told, option=_OPTIONS) + b"\n")
    yield zipped.taken()


def _manifest(
    asked: Asked, zipped: ZipStream, written: _Written, key: SealKey | None, now: datetime
) -> dict[str, Any]:
    return {
        "format": names.FORMAT,
        "callgate": VERSION,
        "account_id": str(asked.account_id),
        "number": asked.number,
        "spellings": list(asked.spellings),
        "since": rfc3339(asked.since),
        "until": rfc3339(asked.until),
        "made_at": rfc3339(now),
        "records": written.records,
        "files": dict(zipped.digests),
        "rules_not_kept": sorted(
            pack for pack in written.packs if not any(pack in name for name in zipped.digests)
        ),
        "key": key.id if key is not None else None,
        "public_key": key.public.hex() if key is not None else None,
    }


def _read_me(asked: Asked) -> str:
    return TEXT.format(
        number=asked.number,
        account=asked.account_id,
        since=rfc3339(asked.since),
        until=rfc3339(asked.until),
    )


def _readable(seal_key: SealKeyFile | None) -> SealKey | None:
    try:
        return seal_key.read() if seal_key is not None else None
    except SealKeyError:
        return None
