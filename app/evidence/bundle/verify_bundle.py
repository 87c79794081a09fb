"""Check a file of evidence, with nothing but the file: no service, no database, no network."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.evidence.bundle import bundle_format as names
from app.evidence.proof.merkle import root_by_path
from app.evidence.proof.record_bytes import bytes_of, hash_of_record
from app.evidence.proof.seal_body import LATE, Seal, body_of
from app.evidence.proof.seal_chain import PublicKey, SealChain, notes_on_keys, trusted_keys, wrong_keys
from app.evidence.proof.signing import is_signed
from app.evidence.seal_documents import seal_document
from app.ids import instant_of

_LONGEST_LINE, _LONGEST_MEMBER = 8 << 20, 256 << 20
_END_OF_DIRECTORY_BYTES = 22  # APPNOTE 4.3.16, without a comment
_NEEDED = (names.MANIFEST, names.RECORDS, names.SEALS, names.KEYS)
_BESIDE_THE_BODY = {"signature", "hash"}
_BESIDE_THE_RECORD = ("seal", "index", "proof")


@dataclass(slots=True)
class Verified:
    """``wrong``: what is not as it was; ``notes``: what the file shows, and what it leaves open."""

    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: int = 0
    proved: int = 0
    seals: int = 0


def verify_bundle(
    path: Path, trusted: frozenset[str] = frozenset(), *, may_be_unsigned: bool = False
) -> Verified:
    """Everything that is wrong with the file. ``trusted``: ids of keys that are known from elsewhere.

    A file whose manifest is not signed is wrong unless it ``may_be_unsigned``: nothing in it tells one that was made
    without a key from one that was changed and lost its signature.
    """
    found = Verified()
    try:
        with zipfile.ZipFile(path) as opened:
            missing = [name for name in _NEEDED if name not in opened.namelist()]
            if missing:
                found.wrong += [f"missing: the file {name}" for name in missing]
                return found
            found.wrong += list(_around(path, opened))
            _Check(opened, found, trusted, may_be_unsigned=may_be_unsigned).run()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        found.wrong.append(f"the file cannot be read: {error}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        found.wrong.append(f"the file is not one of evidence of format {names.FORMAT}: {error!r}")
    except (
        Exception
    ) as error:  # zlib's and lzma's own, a password that is wanted: whatever it is, nothing is proved
        found.wrong.append(f"the file cannot be read: {error!r}")
    return found


def _around(path: Path, opened: zipfile.ZipFile) -> Iterator[str]:
    """Bytes ahead of the first member or behind the directory: no reader of ZIPs shows them, and nothing signs them."""
    if min((member.header_offset for member in opened.infolist()), default=0) != 0:
        yield "added: bytes ahead of the file"
    with path.open("rb") as file:
        file.seek(-_END_OF_DIRECTORY_BYTES, io.SEEK_END)
        if file.read(4) != b"PK\x05\x06":
            yield "added: bytes behind the file"


class _Check:
    def __init__(
        self, opened: zipfile.ZipFile, found: Verified, trusted: frozenset[str], *, may_be_unsigned: bool
    ) -> None:
        self._zip, self._found, self._trusted = opened, found, trusted
        self._may_be_unsigned = may_be_unsigned
        self._used: dict[str, int] = {}
        self._hours: list[tuple[datetime, datetime]] = []  # of the seals that are good

    def run(self) -> None:
        raw = self._read(names.MANIFEST)
        manifest = orjson.loads(raw)
        keys = self._keys()
        self._found.wrong += list(wrong_keys(keys))
        self._signature(raw, manifest, keys)
        self._files(manifest)
        seals = self._seals(manifest, keys)
        self._signer(manifest, keys)
        self._records(manifest, seals)

    def _read(self, name: str) -> bytes:
        with self._zip.open(name) as file:
            content = file.read(_LONGEST_MEMBER + 1)
        if len(content) > _LONGEST_MEMBER:
            raise ValueError(f"{name} is longer than such a file is")
        return content

    def _lines(self, name: str) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Each line as it is read by a program, and as it stands there."""
        with self._zip.open(name) as file:
            while line := file.readline(_LONGEST_LINE):
                if not line.endswith(b"\n"):
                    raise ValueError(f"{name} ends in the middle of a line")
                yield orjson.loads(line), line

    def _keys(self) -> dict[str, PublicKey]:
        return {
            each["id"]: PublicKey(
                each["id"],
                _bytes(each["public_key"]),
                each["introduced_by"],
                _bytes(each["introduction"]) if each["introduction"] else None,
                each["ended"],
                datetime.fromisoformat(each["ended_at"]) if each["ended_at"] else None,
            )
            for each in orjson.loads(self._read(names.KEYS))["keys"]
        }

    def _signature(self, raw: bytes, manifest: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> None:
        if names.SIGNATURE not in self._zip.namelist():
            told = self._found.notes if self._may_be_unsigned else self._found.wrong
            told.append(
                "the file is not signed as a whole: its records can be proved, not that none was taken out of it,"
                " nor what else it says"
            )
            return
        known = keys.get(str(manifest["key"]))
        # A key that has sealed nothing yet is in no list.
        public = known.public if known is not None else bytes.fromhex(manifest["public_key"] or "")
        if not is_signed(public, self._read(names.SIGNATURE), names.signed_manifest(raw)):
            self._found.wrong.append(
                "the signature of the manifest is wrong: the file was changed after it was made"
            )

    def _signer(self, manifest: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> None:
        """A manifest may be signed by whom its seals are: by another key anybody could have signed it."""
        if names.SIGNATURE not in self._zip.namelist():
            return
        key, told = manifest["key"], "the manifest is signed with the key"
        if self._trusted and key not in trusted_keys(keys, self._trusted):
            self._found.wrong.append(f"{told} {key}, which is not one of those that you trust")
        elif key not in trusted_keys(keys, self._used):
            self._found.notes.append(f"{told} {key}, which has sealed nothing in this file")

    def _files(self, manifest: Mapping[str, Any]) -> None:
        listed: dict[str, str] = manifest["files"]
        inside = [name for name in self._zip.namelist() if name not in (names.MANIFEST, names.SIGNATURE)]
        if len(inside) != len(set(inside)):
            self._found.wrong.append("added: a file stands in it twice")
        self._found.wrong += [f"added: the file {name}" for name in inside if name not in listed]
        self._found.wrong += [f"missing: the file {name}" for name in listed if name not in inside]
        for name in inside:
            whole = hashlib.sha256()
            with self._zip.open(name) as file:
                while piece := file.read(1 << 20):
                    whole.update(piece)
            if name in listed and whole.hexdigest() != listed[name]:
                self._found.wrong.append(f"changed: the file {name}")

    def _seals(
        self, manifest: Mapping[str, Any], keys: Mapping[str, PublicKey]
    ) -> dict[int, tuple[str, int]]:
        """Root and number of records of each seal whose signature is good."""
        chain = SealChain(keys, manifest["account_id"], whole=False)
        good: dict[int, tuple[str, int]] = {}
        for document, written in self._lines(names.SEALS):
            self._found.seals += 1
            said = {name: value for name, value in document.items() if name not in _BESIDE_THE_BODY}
            seal = Seal(int(said["number"]), body_of(said), _bytes(document["signature"]))
            read, wrong = chain.take(seal)
            if read is not None and written != body_of(seal_document(seal)) + b"\n":
                wrong.append(f"seal {seal.number} is written otherwise than it was signed")
            self._found.wrong += wrong
            if read is not None and not any("sign" in each for each in wrong):
                good[seal.number] = (read["root"], read["records"])
                self._hours.append(
                    (datetime.fromisoformat(read["hour"]), datetime.fromisoformat(read["until"]))
                )
        self._used = chain.used
        notes, wrong = notes_on_keys(keys, chain.used, self._trusted)
        self._found.notes += notes
        self._found.wrong += wrong
        return good

    def _records(self, manifest: Mapping[str, Any], seals: Mapping[int, tuple[str, int]]) -> None:
        listed = {(each["record"], each["id"]): each for each in manifest["records"]}
        unsealed = 0
        for line, written in self._lines(names.RECORDS):
            record = line["record"]
            name = f"{record['record']} {record['id']}"
            self._found.records += 1
            if written != _written(line):
                self._found.wrong.append(f"changed: {name} is written otherwise than it was hashed")
            known = listed.pop((record["record"], record["id"]), None)
            hashed = hash_of_record(record)
            if known is None:
                self._found.wrong.append(f"added: {name} is not in the manifest")
            elif known["hash"] != hashed.hex():
                self._found.wrong.append(f"changed: {name} is not as the manifest has it")
            elif known["seal"] != line["seal"]:
                self._found.wrong.append(f"changed: {name} names another seal than the manifest")
            if record["account_id"] != manifest["account_id"]:
                self._found.wrong.append(f"added: {name} is of another account")
            if line["seal"] is None:
                unsealed += 1
                if self._was_sealed(record):
                    self._found.wrong.append(f"added: {name} is in no seal, though its hour was sealed")
                continue
            root, size = seals.get(line["seal"], ("", 0))
            path = [bytes.fromhex(each) for each in line["proof"]]
            reached = root_by_path(hashed, line["index"], size, path)
            if not root:
                self._found.wrong.append(f"{name}: its seal {line['seal']} is not there, or not good")
            elif reached is None or reached.hex() != root:
                self._found.wrong.append(f"changed: {name} is not what was sealed in seal {line['seal']}")
            else:
                self._found.proved += 1
        self._found.wrong += [f"missing: {kind} {each}" for kind, each in listed]
        if unsealed:
            self._found.notes.append(
                f"{unsealed} records are not sealed: they were made within the last two hours of the file,"
                " or before sealing began"
            )

    def _was_sealed(self, record: Mapping[str, Any]) -> bool:
        """Whether a decision would be in one of the seals that are here, however late it was committed.

        Its id tells its hour. A history has none: the end of an entry is dated by when it was due."""
        if record["record"] != "decision" or not self._hours:
            return False
        first, last = min(hour for hour, _ in self._hours), max(until for _, until in self._hours)
        return first <= instant_of(UUID(record["id"])) < last - LATE


def _written(line: Mapping[str, Any]) -> bytes:
    """The line as it is written. Where a name stands twice one reader takes the first and another the last; and what
    nobody has hashed may say anything."""
    beside = {name: line[name] for name in _BESIDE_THE_RECORD}
    return b'{"record":' + bytes_of(line["record"]) + b"," + orjson.dumps(beside)[1:] + b"\n"


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None
