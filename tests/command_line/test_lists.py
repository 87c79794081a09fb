"""callgate import and callgate export, as processes of their own beside a running service."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import pty
import re
import signal
import time
from pathlib import Path

import pytest

from tests.command_line.conftest import CommandLine
from tests.contract.dialler import Dialler
from tests.service import RunningService

LIST = (
    b"number,channel,reason\r\n"
    b"+14155550101,all,asked us\r\n"
    b'+14155550102,sms,"=HYPERLINK(""x"")"\r\n'
    b"+442071234567,call,\r\n"
)
COUNTED = {"rows_read": 3, "added": 3, "changed": 0, "unchanged": 0, "rejected": 0}


def counts(document: dict[str, object]) -> dict[str, object]:
    return {name: document[name] for name in COUNTED}


@pytest.mark.parametrize("name", ["list.csv", "list.CSV.gz", "-", "list.txt"])
def test_a_list_is_imported_from_whatever_it_is_in(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path, name: str
) -> None:
    file, given = tmp_path / name, b""
    if name == "-":
        given = LIST
    else:
        file.write_bytes(gzip.compress(LIST) if name.endswith(".gz") else LIST)
    form = [] if "csv" in name.lower() else ["--format", "csv"]
    arguments = ["import", "-" if name == "-" else file, "--account", dialler.account_id, *form]
    document = callgate.json(*arguments, given=given)
    assert (document["status"], counts(document)) == ("succeeded", COUNTED)
    assert dialler.get("/v1/suppressions/+14155550102").json()["entries"][0]["reason"] == '=HYPERLINK("x")'
    history = dialler.get("/v1/suppressions/+14155550101/history").json()["items"]
    assert [(event["action"], event["source"], event["key_id"]) for event in history] == [
        ("added", "import", None)
    ]
    again = callgate.run(*arguments, given=given).stdout.decode()
    assert "3 rows read" in again
    assert "0 added, 0 changed, 3 unchanged" in again
    assert "0 rejected" in again


def test_ndjson_by_its_ending(callgate: CommandLine, dialler: Dialler, tmp_path: Path) -> None:
    file = tmp_path / "list.jsonl"
    file.write_text('{"number": "+14155550101"}\n\n{"number": "+14155550102", "channel": "sms"}\n')
    assert callgate.json("import", file, "--account", dialler.account_id)["added"] == 2


def test_one_rejected_line_leaves_all_as_it_was_unless_partial(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path
) -> None:
    file, rejects = tmp_path / "list.csv", tmp_path / "rejects.csv"
    bad = b"".join(b"+1415%d,fax,=1+1\r\n" % n for n in range(5550200, 5550207))
    file.write_bytes(LIST + bad)
    arguments = ["import", file, "--account", dialler.account_id]
    done = callgate.run(*arguments, status=1)
    said = done.stderr.decode()
    assert "7 lines were rejected; nothing was changed" in said
    assert "line 5: channel must be call, sms or all: +14155550200,fax,=1+1" in said
    assert "and 2 more (--rejects FILE saves them)" in said
    assert dialler.get("/v1/suppressions").json()["items"] == []
    document = callgate.json(*arguments, "--partial", "--rejects", rejects)
    assert (document["status"], document["added"], document["rejected"]) == ("succeeded", 3, 7)
    rows = list(csv.reader(rejects.read_text().splitlines()))
    assert rows[0] == ["line", "value", "reason"]
    assert rows[1] == ["5", "'+14155550200,fax,=1+1", "channel must be call, sms or all"]
    assert len(rows) == 8
    assert len(dialler.get("/v1/suppressions").json()["items"]) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (gzip.compress(LIST)[:-5], "ends early"),
        (b"fax\n+14155550101\n", "unknown column 'fax'"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    done = callgate.run("import", file, "--account", dialler.account_id, status=1)
    assert told in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "/nowhere/list.csv"], "No such file"),
        (["import", "/tmp"], "--format"),
        (["import", "/tmp", "--format", "csv"], "is a directory"),
        (["import", "-"], "--format"),
        (["import"], "Missing argument"),
        (["import", "-", "--format", "xml"], "xml"),
        (["export", "-o", "list.txt"], "--format"),
        (["export", "--json"], "-o FILE"),
        (["export", "--account", "me"], "not an account id"),
        (["export", "--account", "00000000-0000-7000-8000-000000000000"], "there is no account"),
    ],
)
def test_a_mistake_in_the_command_is_named(callgate: CommandLine, arguments: list[str], told: str) -> None:
    assert told in callgate.run(*arguments, status=2).stderr.decode()


def test_what_is_exported_is_imported_as_the_same_list(
    callgate: CommandLine, dialler: Dialler, operator: Dialler, tmp_path: Path
) -> None:
    callgate.run("import", "-", "--format", "csv", "--account", dialler.account_id, given=LIST)
    dialler.post("/v1/inbound-messages", {"from": "+14155550103", "to": "+12125550100", "body": "STOP"})
    whole = dialler.get("/v1/suppressions/export").body
    assert callgate.run("export", "--account", dialler.account_id).stdout == whole
    for name in ("list.csv", "list.ndjson.gz"):
        file = tmp_path / name
        told = callgate.json("export", "-o", file, "--account", dialler.account_id)
        assert told == {"file": str(file), "format": name.split(".")[1], "entries": 4}
        made = operator.post("/v1/accounts", {"name": name}).json()
        other = Dialler(operator.service, made["key"], made["id"])
        assert callgate.json("import", file, "--account", other.account_id)["added"] == 4

        def entries(of: Dialler) -> list[dict[str, object]]:
            kept = ("number", "channel", "reason", "source", "expires_at", "opted_out_at")
            items = of.get("/v1/suppressions").json()["items"]
            return sorted(({name: item[name] for name in kept} for item in items), key=json.dumps)

        assert entries(other) == entries(dialler)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv", "list.ndjson.gz"]


def test_a_reader_that_has_had_enough_ends_the_export_quietly(
    callgate: CommandLine, dialler: Dialler
) -> None:
    many = b"number\n" + b"".join(b"+1415555%04d\n" % n for n in range(5000))
    callgate.run("import", "-", "--format", "csv", "--account", dialler.account_id, given=many)
    with callgate.start("export", "--account", dialler.account_id) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"number,")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1


def wait_for_job(dialler: Dialler, rows: int) -> dict[str, object]:
    for _ in range(400):
        found: list[dict[str, object]] = dialler.get("/v1/suppressions/imports").json()["items"]
        if found and int(str(found[0]["rows_read"])) >= rows:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no job has come so far: {found}")


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGKILL])
def test_an_import_that_is_stopped_changes_nothing(
    callgate: CommandLine, dialler: Dialler, interrupt: signal.Signals
) -> None:
    with callgate.start("import", "-", "--format", "csv", "--account", dialler.account_id) as process:
        assert process.stdin is not None
        process.stdin.write(b"number\n" + b"".join(b"+1415555%04d\n" % n for n in range(9000)))
        process.stdin.flush()
        job = wait_for_job(dialler, 0)
        assert job["status"] == "running"
        process.send_signal(interrupt)
        # Standard input stays open: the command must not wait for its end.
        status = process.wait(30)
        assert process.stderr is not None
        said = process.stderr.read()
    if interrupt == signal.SIGINT:
        assert (status, said) == (1, b"interrupted; nothing was changed\n")
        assert dialler.get(f"/v1/suppressions/imports/{job['id']}").json()["status"] == "failed"
    assert dialler.get("/v1/suppressions").json()["items"] == []


def test_a_terminal_shows_how_far_it_is(callgate: CommandLine, dialler: Dialler, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(
        b"number\n"
        + b"".join(b"+1%d5%06d\n" % (area, n) for area in (415, 212) for n in range(200_000, 230_000))
    )
    ours, theirs = pty.openpty()
    with callgate.start("import", file, "--account", dialler.account_id, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, shown
    assert b"60,000 added" in out
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert "reading" in text
    assert re.search(r"[1-9][\d,]* rows  [1-9][\d,]*/s", text), text
    assert re.search(r"\d\.\d/0\.8 MB", text), text
    assert re.search(r"\d:\d\d:\d\d", text), text
    assert "bringing into force" in text


def test_without_a_database_it_is_3(tmp_path: Path, no_settings: dict[str, str]) -> None:
    away = CommandLine(
        {
            **no_settings,
            "CALLGATE_DATABASE_URL": "postgresql://127.0.0.1:1/x",
            "CALLGATE_REDIS_URL": "redis://127.0.0.1:1",
        }
    )
    file = tmp_path / "list.csv"
    file.write_bytes(LIST)
    for command in (["import", file], ["export"], ["registry", "list"], ["registry", "load", "x", file]):
        said = away.run(*command, status=3).stderr.decode()
        assert said.startswith("callgate: the database cannot be asked"), said
        assert said.count("\n") == 1


def test_it_works_beside_a_service_with_its_own_servers(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("embedded") / "data"
    with RunningService({"data_dir": data, "database_url": None, "redis_url": None}) as service:
        callgate = CommandLine(service.environment)
        callgate.run("import", "-", "--format", "csv", given=LIST)
        dialler = Dialler(service, service.key)
        assert len(dialler.get("/v1/suppressions").json()["items"]) == 3
        assert callgate.run("export").stdout.count(b"\r\n") == 4
