"""A file of evidence is verified with nothing but itself, and every hand that was laid on it is named."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from app.cli import app
from app.evidence.bundle import write_bundle
from app.evidence.bundle.bundle_format import signed_manifest
from app.evidence.bundle.verify_bundle import Verified, verify_bundle
from app.evidence.bundle.write_bundle import Asked, evidence_of
from app.evidence.proof.signing import make_key, read_key
from app.evidence.sealing import rule_text_store
from app.evidence.sealing.seal_hours import seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile, rotate_key
from app.platform.outcomes import Unusable
from app.platform.postgres.database import Database
from tests.evidence.recorded import (
    HOUR,
    add_account,
    add_decisions,
    add_history,
    begin_sealing,
    key_in,
    now_hour,
    run_sql,
)

NUMBER = "+14155550101"
DIGEST = "ab" * 32
Edit = Callable[[dict[str, bytes]], None]


@pytest.fixture
async def engine(module_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The tests share a database, and each has an account of its own."""
    database = Database(module_database_url, timeout_seconds=10, pool_size=2)
    await begin_sealing(database.bulk, now_hour() - 6 * HOUR)
    yield database.bulk
    await database.close()


@pytest.fixture
async def account(engine: AsyncEngine, tmp_path: Path) -> uuid.UUID:
    """Three hours of decisions about the number among others, its histories, and a decision of this hour."""
    start, made = now_hour() - 5 * HOUR, await add_account(engine)
    for hour in range(3):
        await add_decisions(engine, made, start + hour * HOUR, 40, number="+14155550199")
        await add_decisions(
            engine, made, start + hour * HOUR, 2, number=NUMBER, document={"versions": {"law": DIGEST}}
        )
    await add_history(engine, made, start + HOUR)
    await add_decisions(engine, made, now_hour(), 1, number=NUMBER)
    async with engine.begin() as connection:
        await rule_text_store.keep(connection, DIGEST, "rules", {"pack.toml": 'version = "1"\n'}, start)
    await seal_due(engine, lambda: key_in(tmp_path))
    return made


async def written(engine: AsyncEngine, account: uuid.UUID, directory: Path, **more: Any) -> Path:
    """The file of evidence."""
    now = now_hour() + HOUR
    asked = Asked(account, NUMBER, (NUMBER,), more.get("since", now - 9 * HOUR), now)
    key = SealKeyFile(directory / "seal-key.pem", True) if more.get("signed", True) else None
    path = directory / "evidence.zip"
    with path.open("wb") as file:
        async for piece in evidence_of(engine, asked, key, now):
            file.write(piece)
    return path


def edited(path: Path, edit: Edit) -> Verified:
    """What is found in the file after somebody's hand was at its members."""
    with zipfile.ZipFile(path) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    edit(members)
    other = path.with_name("edited.zip")
    with zipfile.ZipFile(other, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return verify_bundle(other)


async def test_every_record_is_proved_without_the_service(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    path = await written(engine, account, tmp_path)
    found = verify_bundle(path, frozenset({key_in(tmp_path).id}))
    assert found.wrong == []
    assert (found.records, found.proved, found.seals) == (11, 10, 3)
    assert any("1 records are not sealed" in note for note in found.notes)
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        records = [orjson.loads(line)["record"] for line in opened.read("records.ndjson").splitlines()]
        assert opened.read(f"rules/{DIGEST}/pack.toml") == b'version = "1"\n'
        assert NUMBER in opened.read("README.txt").decode()
        assert b"+14155550199" not in b"".join(opened.read(name) for name in opened.namelist())
    kinds = [record["record"] for record in records]
    assert kinds == ["decision"] * 7 + ["suppression", "consent", "consent_end", "reply"]
    assert {record["account_id"] for record in records} == {str(account)}


def _lines(members: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in members[name].splitlines()]


def _put(members: dict[str, bytes], name: str, lines: list[dict[str, Any]]) -> None:
    members[name] = b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _change_a_record(members: dict[str, bytes]) -> None:
    lines = _lines(members, "records.ndjson")
    lines[2]["record"]["verdict"] = "blocked"
    _put(members, "records.ndjson", lines)


def _remove_a_record(members: dict[str, bytes]) -> None:
    _put(members, "records.ndjson", _lines(members, "records.ndjson")[1:])


def _add_a_record(members: dict[str, bytes]) -> None:
    lines = _lines(members, "records.ndjson")
    forged = json.loads(json.dumps(lines[0]))
    forged["record"]["id"] = str(uuid.uuid4())
    _put(members, "records.ndjson", [*lines, forged])


def _change_a_seal(members: dict[str, bytes]) -> None:
    lines = _lines(members, "seals.ndjson")
    lines[1]["records"] += 1
    _put(members, "seals.ndjson", lines)


def _remove_a_seal(members: dict[str, bytes]) -> None:
    lines = _lines(members, "seals.ndjson")
    _put(members, "seals.ndjson", [lines[0], lines[2]])


def _bend_a_proof(members: dict[str, bytes]) -> None:
    lines = _lines(members, "records.ndjson")
    lines[0]["proof"][0] = "00" * 32
    _put(members, "records.ndjson", lines)


def _say_a_thing_twice(members: dict[str, bytes]) -> None:
    """Who reads takes the first, and the hash is of the last."""
    members["records.ndjson"] = members["records.ndjson"].replace(
        b'"verdict":', b'"verdict":"blocked","verdict":', 1
    )
    _forget_the_signature(members)


def _say_more_beside_a_record(members: dict[str, bytes]) -> None:
    members["records.ndjson"] = members["records.ndjson"].replace(b'"proof":', b'"note":"void","proof":', 1)
    _forget_the_signature(members)


def _say_a_seal_s_hour_twice(members: dict[str, bytes]) -> None:
    members["seals.ndjson"] = members["seals.ndjson"].replace(
        b'"hour":', b'"hour":"2020-01-01T00:00:00Z","hour":', 1
    )
    _forget_the_signature(members)


def _forget_the_signature(members: dict[str, bytes]) -> None:
    """And list the members as they are now: a file without a signature may be written by anybody."""
    del members["manifest.sig"]
    manifest = json.loads(members["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256(members[name]).hexdigest()
    members["manifest.json"] = orjson.dumps(manifest)


def _change_the_manifest(members: dict[str, bytes]) -> None:
    manifest = json.loads(members["manifest.json"])
    manifest["until"] = "2020-01-01T00:00:00Z"
    members["manifest.json"] = orjson.dumps(manifest)


def _add_a_file(members: dict[str, bytes]) -> None:
    members["rules/more.toml"] = b"x = 1\n"


def _change_a_rule(members: dict[str, bytes]) -> None:
    members[f"rules/{DIGEST}/pack.toml"] = b'version = "2"\n'


def _drop_the_keys(members: dict[str, bytes]) -> None:
    del members["keys.json"]


def _exchange_the_key(members: dict[str, bytes]) -> None:
    keys = json.loads(members["keys.json"])
    keys["keys"][-1]["public_key"] = "A" * 43 + "="
    members["keys.json"] = orjson.dumps(keys)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_change_a_record, "is not what was sealed in seal"),
        (_change_a_record, "is not as the manifest has it"),
        (_remove_a_record, "missing: decision"),
        (_add_a_record, "is not in the manifest"),
        (_change_a_seal, "the signature of seal 2 is wrong"),
        (_remove_a_seal, "before seal 3 seal 2 is missing"),
        (_bend_a_proof, "is not what was sealed in seal"),
        (_change_the_manifest, "the signature of the manifest is wrong"),
        (_add_a_file, "added: the file rules/more.toml"),
        (_change_a_rule, "changed: the file rules/"),
        (_say_a_thing_twice, "is written otherwise than it was hashed"),
        (_say_more_beside_a_record, "is written otherwise than it was hashed"),
        (_say_a_seal_s_hour_twice, "seal 1 is written otherwise than it was signed"),
        (_drop_the_keys, "missing: the file keys.json"),
        (_exchange_the_key, "has another id than its bytes"),
    ],
)
async def test_whoever_touches_the_file_is_found_out(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path, edit: Edit, told: str
) -> None:
    found = edited(await written(engine, account, tmp_path), edit)
    assert any(told in wrong for wrong in found.wrong), found.wrong


async def test_what_was_changed_in_the_database_shows_in_the_file(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    assert (
        await run_sql(
            engine,
            "UPDATE decisions SET from_number = '+12125550101' WHERE id = (SELECT id FROM decisions"
            " WHERE account_id = :account AND to_number = :number ORDER BY id LIMIT 1)",
            account=account,
            number=NUMBER,
        )
        == 1
    )
    (wrong,) = verify_bundle(await written(engine, account, tmp_path)).wrong
    assert wrong.endswith("is not what was sealed in seal 1")


async def test_a_forger_with_a_key_of_their_own_is_told_from_the_trusted(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    path = await written(engine, account, tmp_path)
    thief = make_key(tmp_path / "thief.pem")

    def sign_anew(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["key"], manifest["public_key"] = thief.id, thief.public.hex()
        members["manifest.json"] = orjson.dumps(manifest)
        members["manifest.sig"] = thief.sign(signed_manifest(members["manifest.json"]))

    found = edited(path, sign_anew)
    assert any("which has sealed nothing" in note for note in found.notes), (
        "the manifest alone convinces nobody"
    )
    other = verify_bundle(path.with_name("edited.zip"), frozenset({key_in(tmp_path).id}))
    assert any("manifest" in wrong for wrong in other.wrong)
    trusting_another = verify_bundle(path, frozenset({"0" * 32}))
    assert any("neither one of those that you trust" in wrong for wrong in trusting_another.wrong)


async def test_keys_rotate_and_the_new_one_is_introduced_by_the_old(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    file = SealKeyFile(tmp_path / "seal-key.pem", True)
    old, new = await rotate_key(engine, file, now_hour() + 2 * HOUR)
    assert file.read().id == read_key(file.path).id == new.id != old.id
    await add_decisions(engine, account, now_hour() - HOUR * 2, 1, number=NUMBER)
    await run_sql(engine, "UPDATE seal_progress SET sealed_until = since")
    await seal_due(engine, file.read)
    found = verify_bundle(await written(engine, account, tmp_path), frozenset({old.id}))
    assert found.wrong == []
    assert [note for note in found.notes if note.startswith("key ")] == [
        f"key {old.id}, from seal 1 on: the first, rotated",
        f"key {new.id}, from seal 4 on: introduced by {old.id}",
    ]


async def test_without_the_key_the_file_says_that_it_is_not_signed(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    path = await written(engine, account, tmp_path, signed=False)
    (wrong,) = verify_bundle(path).wrong
    assert "not signed as a whole" in wrong
    found = verify_bundle(path, may_be_unsigned=True)
    assert found.wrong == []
    assert any("not signed as a whole" in note for note in found.notes)


async def test_more_records_than_a_file_holds_are_refused_before_the_first_byte(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_bundle, "MOST_RECORDS", 10)
    with pytest.raises(Unusable):
        await written(engine, account, tmp_path)
    assert (tmp_path / "evidence.zip").read_bytes() == b""


async def test_who_takes_the_signature_away_is_found_out_whatever_else_is_changed(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    def strip(members: dict[str, bytes]) -> None:
        members["outcomes.ndjson"] = b'{"result":"invented"}\n'
        members["README.txt"] = b"Nothing to see.\n"
        _forget_the_signature(members)

    path = await written(engine, account, tmp_path)
    assert any("not signed as a whole" in wrong for wrong in edited(path, strip).wrong)


@pytest.mark.parametrize("where", ["ahead of", "behind"])
async def test_bytes_around_the_file_are_named(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path, where: str
) -> None:
    path = await written(engine, account, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + whole if where == "ahead of" else whole + b"more")
    assert f"added: bytes {where} the file" in verify_bundle(path).wrong


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", bytes(5000)])
def test_what_is_no_file_of_evidence_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    path.write_bytes(content)
    assert len(verify_bundle(path).wrong) == 1


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED])
def test_a_member_that_cannot_be_opened_is_said_to_be_unreadable(kind: int, tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as opened:
        for name in ("manifest.json", "records.ndjson", "seals.ndjson", "keys.json"):
            opened.writestr(name, b'{"keys": []}\n' * 50)
    bent = bytearray(made.getvalue())
    if kind == zipfile.ZIP_STORED:  # as if a password were wanted
        for at in (
            place
            for place in range(len(bent) - 4)
            if bytes(bent[place : place + 4]) in (b"PK\3\4", b"PK\1\2")
        ):
            bent[at + (6 if bent[at + 2] == 3 else 8)] |= 1
    else:
        bent[50:70] = bytes(20)
    path = tmp_path / "bent.zip"
    path.write_bytes(bent)
    assert verify_bundle(path).wrong


def test_any_flipped_byte_of_a_small_file_is_noticed(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in ("manifest.json", "records.ndjson", "seals.ndjson", "keys.json"):
            opened.writestr(name, b'{"keys": [], "nothing": "of the kind"}\n')
    for at in range(0, len(made.getvalue()), 7):
        bent = bytearray(made.getvalue())
        bent[at] ^= 0x41
        path = tmp_path / "bent.zip"
        path.write_bytes(bent)
        assert verify_bundle(path).wrong, "it was no evidence before either"


async def test_the_command_ends_with_one_for_what_is_wrong(
    engine: AsyncEngine, account: uuid.UUID, tmp_path: Path
) -> None:
    path = await written(engine, account, tmp_path)
    good = CliRunner().invoke(app, ["evidence", "verify", str(path)])
    assert (good.exit_code, "everything is as it was sealed" in good.output) == (0, True)
    edited(path, _change_a_record)
    bad = CliRunner().invoke(app, ["evidence", "verify", str(path.with_name("edited.zip")), "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.output)["good"] is False
