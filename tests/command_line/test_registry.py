"""callgate registry: as processes of their own beside a running service, whose decisions follow at once."""

from __future__ import annotations

import csv
import gzip
import signal
import time
from pathlib import Path

from tests.command_line.conftest import CommandLine
from tests.contract.dialler import Dialler, call

LISTED, ADDED = "+14155550111", "+14155550112"


def hits(dialler: Dialler, number: str) -> list[tuple[str, str]]:
    """What the service says of the number: registries and their dates."""
    answer = dialler.post("/v1/suppressions/lookup", {"numbers": [number]}).json()
    return [(hit["registry"], hit["version_date"]) for hit in answer["items"][0]["registries"]]


def test_a_registry_from_its_making_to_its_end(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path
) -> None:
    made = [
        "registry",
        "put",
        "national",
        "--kind",
        "national_dnc",
        "--max-age-days",
        31,
        "--applies-to",
        "call",
    ]
    assert callgate.run(*made).stdout == b"made national\n"
    assert callgate.run(*made).stdout == b"changed national\n"
    assert "not in force" in callgate.run("registry", "list").stdout.decode()
    whole = tmp_path / "national.txt.gz"
    whole.write_bytes(gzip.compress(b"415,5550111\r\n212,5550113\r\n"))
    today = time.strftime("%Y-%m-%d", time.gmtime())
    loaded = callgate.json("registry", "load", "national", whole, "--date", today)
    assert (loaded["status"], loaded["rows_read"], loaded["added"], loaded["removed"]) == (
        "succeeded",
        2,
        2,
        0,
    )
    assert hits(dialler, LISTED) == [("national", today)]
    refused = dialler.post("/v1/intents/preview", call(LISTED)).json()["violations"][0]
    assert (refused["code"], refused["registry"], refused["version_date"]) == (
        "DNC_BLOCKED",
        "national",
        today,
    )
    changes = b"415,5550112,A\n415,5550111,D\n212,5550113,A\n"
    told = callgate.run("registry", "change", "national", "-", "--date", today, given=changes).stdout.decode()
    assert "3 rows read" in told
    assert "1 added, 1 removed, 1 unchanged" in told
    assert (hits(dialler, LISTED), hits(dialler, ADDED)) == ([], [("national", today)])
    (listed,) = callgate.json("registry", "list")
    assert (listed["name"], listed["numbers"], listed["version_date"]) == ("national", 2, today)
    assert (listed["applies_to"], listed["stale"], listed["source"]) == (["call"], False, "national.txt.gz")
    freed = callgate.run("registry", "put", "national", "--kind", "reassigned", status=1)
    assert b"cannot become one of the kind reassigned" in freed.stderr
    assert hits(dialler, ADDED) == [("national", today)]
    assert callgate.run("registry", "delete", "national").stdout == b"removed national\n"
    assert hits(dialler, ADDED) == []
    assert b"no registry national" in callgate.run("registry", "delete", "national", status=1).stderr


def test_what_cannot_be_done_says_why(callgate: CommandLine, tmp_path: Path) -> None:
    callgate.run("registry", "put", "state", "--kind", "state_dnc", "--region", "US-TX")
    rejects = tmp_path / "rejects.csv"
    bad = b"415,5550111\n415-5550112\n"
    done = callgate.run("registry", "load", "state", "-", "--rejects", rejects, status=1, given=bad)
    assert b"1 line was rejected; nothing was changed" in done.stderr
    assert list(csv.reader(rejects.read_text().splitlines()))[1][:2] == ["2", "415-5550112"]
    assert callgate.json("registry", "load", "state", "-", "--partial", given=bad)["added"] == 1
    older = callgate.run("registry", "change", "state", "-", "--date", "2020-01-01", status=1, given=b"")
    assert b"2020-01-01" in older.stderr
    for arguments, status, told in (
        (["load", "nowhere", "-"], 1, "there is no registry nowhere"),
        (["change", "nowhere", "-"], 1, "there is no registry nowhere"),
        (["load", "state", "-", "--date", "yesterday"], 2, "--date must be a date"),
        (["put", "a b", "--kind", "custom"], 2, "letters, digits"),
        (["put", "x", "--kind", "other"], 2, "other"),
        (["put", "x", "--kind", "custom", "--region", "Texas"], 2, "ISO 3166"),
        (["put", "x", "--kind", "state_dnc", "--region", "TX"], 2, "--region must be a country or a region"),
    ):
        said = callgate.run("registry", *arguments, status=status).stderr.decode()
        assert told in said, said
    callgate.run("registry", "delete", "state")


def test_a_load_that_is_interrupted_leaves_the_old_list_and_the_registry_free(
    callgate: CommandLine, dialler: Dialler, operator: Dialler
) -> None:
    callgate.run("registry", "put", "old", "--kind", "litigator")
    callgate.run("registry", "load", "old", "-", given=b"415,5550111\n")
    with callgate.start("registry", "load", "old", "-") as process:
        assert process.stdin is not None
        process.stdin.write(b"415,5550112\n" * 50_000)
        process.stdin.flush()
        for _ in range(200):
            if operator.get("/v1/registries/old/jobs").json()["items"][0]["status"] == "running":
                break
            time.sleep(0.05)
        busy = callgate.run("registry", "load", "old", "-", status=1, given=b"415,5550113\n")
        assert b"is being loaded or changed; nothing was changed" in busy.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b"interrupted; nothing was changed\n"
    assert [name for name, _ in hits(dialler, LISTED)] == ["old"]
    assert hits(dialler, ADDED) == []
    callgate.run("registry", "load", "old", "-", given=b"415,5550112\n")
    assert [name for name, _ in hits(dialler, ADDED)] == ["old"]
    callgate.run("registry", "delete", "old")
