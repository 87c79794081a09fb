"""Decisions at the command line: exported, counted and counted anew, as HTTP has them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.command_line.conftest import CommandLine, callgate
from tests.contract.dialler import Dialler, call

__all__ = ["callgate"]  # the fixture


def test_decisions_are_exported_and_counted_without_http(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path
) -> None:
    ids = [dialler.approved(campaign="spring")["id"] for _ in range(3)]
    of = ("--account", dialler.account_id)
    rows = csv.DictReader(
        io.StringIO(callgate.run("decisions", "export", "--order", "asc", *of).stdout.decode())
    )
    assert [row["id"] for row in rows] == ids
    file = tmp_path / "decisions.ndjson"
    callgate.run("decisions", "export", "--format", "ndjson", "--campaign", "spring", "-o", file, *of)
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert exported == dialler.get("/v1/intents").json()["items"]
    by_http = dialler.get("/v1/intents/stats?interval=day&group_by=campaign").json()
    assert callgate.json("decisions", "stats", "--interval", "day", "--group-by", "campaign", *of) == by_http
    assert by_http["groups"] == [{"value": "spring", "others": False, "decisions": 3}]
    assert b"in all" in callgate.run("decisions", "stats", *of).stdout
    callgate.run("decisions", "stats", "--since", "2020-01-01T00:00:00Z", *of, status=2)
    assert callgate.run("decisions", "recount").stdout == b"Everything is counted.\n"
    assert dialler.get("/v1/intents/stats?interval=day&group_by=campaign").json() == by_http
    assert dialler.post("/v1/intents", call(dialler.open_number())).status == 201
    assert dialler.get("/v1/intents/stats").json()["decisions"] == 4
