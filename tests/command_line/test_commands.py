"""Every command beside a running service: what it changes is in force there at once, and what it says fits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app import VERSION
from app.accounts.authenticate import SCOPES
from app.accounts.cli import ScopeName
from app.cli import COMMANDS
from tests.command_line.conftest import CommandLine
from tests.contract.dialler import Dialler
from tests.service import CHECKOUT

NUMBER = "+14155550177"
GROUPS = {
    "decisions": ("list", "show"),
    "suppressions": ("add", "remove", "show"),
    "registry": ("load", "change", "put", "list", "delete"),
    "consents": ("show", "put", "remove"),
    "policy": ("show", "put"),
    "pools": ("list", "show", "put", "remove"),
    "limits": ("list", "put", "remove"),
    "emergencies": ("list", "put", "remove"),
    "keys": ("create", "list", "revoke"),
    "accounts": ("create", "list"),
}


def plain(arguments: list[str], columns: int = 60) -> subprocess.CompletedProcess[str]:
    """`callgate` with no settings, on a terminal of so many columns."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=CHECKOUT, env={**given, "COLUMNS": str(columns), "NO_COLOR": "1"}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip


def test_it_tells_its_name_its_version_and_its_completion() -> None:
    assert plain(["--version"]).stdout == f"callgate {VERSION}\n"
    shown = plain(["--help"]).stdout
    assert "Usage: callgate [OPTIONS] COMMAND" in shown
    assert "--install-completion" in shown
    assert "callgate keys create" in plain(["keys", "create", "--help"]).stdout
    assert "Did you mean 'check'" in plain(["chekc"]).stderr


def test_every_help_fits_sixty_columns_and_every_command_is_there() -> None:
    asked = [[], *([name] for name in COMMANDS)]
    asked += [[name, part] for name, parts in GROUPS.items() for part in parts]
    program = (
        "import sys, json\nfrom typer.testing import CliRunner\nfrom app.cli import app\n"
        "print(json.dumps([[r.exit_code, r.output] for r in (CliRunner().invoke(app, [*a, '--help'])"
        " for a in json.loads(sys.argv[1]))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(asked)],
        cwd=CHECKOUT, env={**os.environ, "COLUMNS": "60", "TERMINAL_WIDTH": "60", "NO_COLOR": "1"},
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    for arguments, (status, text) in zip(asked, json.loads(done.stdout), strict=True):
        assert status == 0, (arguments, text)
        assert max(map(len, text.splitlines())) <= 60, (arguments, text)


def test_the_help_of_keys_create_names_every_scope() -> None:
    assert {scope.value for scope in ScopeName} == set(SCOPES)
    shown = "".join(re.sub(r"[│\s]", "", plain(["keys", "create", "--help"], 120).stdout))
    for scope in SCOPES:
        assert scope in shown, scope


LIBRARIES = "import typer, sqlalchemy.ext.asyncio, asyncpg, numpy, holidays, phonenumbers, redis.asyncio"


def seconds_of_processor(arguments: list[str], environment: dict[str, str] | None = None) -> float:
    """The least of three tries: what else the machine does must not count."""
    program = (
        "import os, subprocess, sys\nsubprocess.run([sys.executable, *sys.argv[1:]],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\nspent = os.times()\n"
        "print(spent.children_user + spent.children_system)"
    )
    tries = [
        subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=60, check=True,
        ).stdout
        for _ in range(3)
    ]  # fmt: skip
    return min(map(float, tries))


@pytest.mark.alone
def test_a_mistake_is_told_before_anything_heavy_is_loaded(callgate: CommandLine) -> None:
    for arguments in (["check", "123"], ["check", "+19995551234"], ["windows", "5"], ["pools", "put", "x"]):
        assert seconds_of_processor(["-m", "app.cli", *arguments]) < 0.4, arguments
    # Half of what a check takes is the libraries' own; on a machine where those are slow, it may take longer.
    asked = ["-m", "app.cli", "check", "+14155551234", "--at", "2028-02-08T18:00:00Z"]
    limit = max(1.2, 2.4 * seconds_of_processor(["-c", LIBRARIES]))
    assert seconds_of_processor(asked, callgate.environment) < limit


@pytest.mark.parametrize("command", ["check", "windows"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z"])
def test_an_instant_that_no_preview_takes_is_told_in_one_line(
    callgate: CommandLine, command: str, at: str
) -> None:
    told = callgate.run(command, NUMBER, "--at", at, status=2).stderr
    assert told == b"callgate: --at must be from 1970 to 2199\n"


def test_an_entry_is_added_shown_and_removed(callgate: CommandLine, dialler: Dialler) -> None:
    mine = ("--account", dialler.account_id)
    assert callgate.json("suppressions", "add", NUMBER, "--reason", "asked", *mine)["reason"] == "asked"
    entry = dialler.get(f"/v1/suppressions/{NUMBER}").json()["entries"][0]
    assert (entry["reason"], entry["source"], entry["channel"]) == ("asked", "manual", "all")
    assert callgate.json("suppressions", "show", NUMBER, *mine) == [entry]
    assert "changed" in callgate.run("suppressions", "add", NUMBER, *mine).stdout.decode()
    callgate.run("suppressions", "remove", NUMBER, *mine)
    assert dialler.get(f"/v1/suppressions/{NUMBER}").status == 404
    assert (
        b"not on the suppression list"
        in callgate.run("suppressions", "remove", NUMBER, *mine, status=1).stderr
    )
    assert callgate.run("suppressions", "add", "4155", *mine, status=2).stderr.count(b"\n") == 1


def test_decisions_are_listed_and_shown(callgate: CommandLine, dialler: Dialler) -> None:
    mine = ("--account", dialler.account_id)
    callgate.run("suppressions", "add", NUMBER, *mine)
    refused = dialler.post("/v1/intents", {"type": "call", "to": NUMBER, "from": "+12125550100"}).json()
    (listed,) = callgate.json("decisions", "list", "--to", NUMBER, *mine)
    whole = dialler.get(f"/v1/intents/{refused['intent_id']}").json()
    told = json.loads(callgate.run("decisions", "show", refused["intent_id"], *mine).stdout)
    assert whole["outcome"] is None
    for found in ({**listed, "outcome": None}, told):
        assert {**found, "violations": None} == {**whole, "violations": None}
        assert [v["code"] for v in found["violations"]] == [v["code"] for v in whole["violations"]]
    assert "DNC_BLOCKED" in callgate.run("decisions", "list", *mine).stdout.decode()
    assert callgate.json("decisions", "list", "--verdict", "approved", *mine) == []
    callgate.run("decisions", "show", dialler.account_id, *mine, status=1)
    callgate.run("decisions", "show", "nothing", *mine, status=2)


def test_the_policy_is_shown_changed_and_put_back(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path
) -> None:
    mine = ("--account", dialler.account_id)
    found = json.loads(callgate.run("policy", "show", *mine).stdout)
    assert found == dialler.get("/v1/policy").json()
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({**found, "names": ["Acme"]}))
    put = json.loads(callgate.run("policy", "put", file, *mine).stdout)
    assert put == dialler.get("/v1/policy").json()
    assert (put["names"], put["version"]) == (["Acme"], found["version"] + 1)
    assert b"by now" in callgate.run("policy", "put", file, *mine, status=1).stderr
    for wrong, told in ((b"{", b"no JSON"), (b'{"nmaes": []}', b"nmaes"), (b'{"names": ["!"]}', b"names.0")):
        assert told in callgate.run("policy", "put", "-", *mine, status=2, given=wrong).stderr


def test_consents_pools_limits_and_emergencies_are_those_of_http(
    callgate: CommandLine, dialler: Dialler
) -> None:
    mine = ("--account", dialler.account_id)
    kind = ("--kind", "express_written", "--evidence", "form 7")
    put = callgate.json("consents", "put", NUMBER, *kind, "--given-at", "2026-01-01 10:00Z", *mine)
    assert (
        put
        == dialler.get(f"/v1/consents/{NUMBER}").json()
        == callgate.json("consents", "show", NUMBER, *mine)
    )
    assert put["given_at"] == "2026-01-01T10:00:00Z"
    callgate.run("consents", "remove", NUMBER, *mine)
    callgate.run("consents", "show", NUMBER, *mine, status=1)

    reserve = ("--reserve", "marketing=2", "--calls-per-second", 5)
    put = callgate.json("pools", "put", "trunk", "--capacity", 7, *reserve, *mine)
    assert put == dialler.get("/v1/pools/trunk").json() == callgate.json("pools", "show", "trunk", *mine)
    assert (put["capacity"], put["reserve"], put["in_use"]) == (7, {"marketing": 2}, 0)
    assert [pool["name"] for pool in callgate.json("pools", "list", *mine)] == ["default", "trunk"]
    callgate.run("pools", "remove", "trunk", *mine)
    callgate.run("pools", "show", "trunk", *mine, status=1)
    callgate.run("pools", "put", "trunk", "--capacity", 1, "--reserve", "x=1", *mine, status=2)

    put = callgate.json("limits", "put", "campaign:a/b", "--capacity", 3, *mine)
    assert put == dialler.get("/v1/limits/campaign:a/b").json() == callgate.json("limits", "list", *mine)[0]
    callgate.run("limits", "put", "account", "--messages-per-day", 3, *mine, status=2)
    callgate.run("limits", "remove", "campaign:a/b", *mine)
    assert callgate.json("limits", "list", *mine) == []

    put = callgate.json("emergencies", "put", "US-GU", "--until", "2199-01-01T00:00:00Z", "--reason", "storm")
    try:
        assert put == dialler.get("/v1/emergencies/US-GU").json()
        assert put in callgate.json("emergencies", "list")
        callgate.run("emergencies", "put", "US-QQ", "--until", "2199-01-01T00:00:00Z", status=2)
    finally:
        callgate.run("emergencies", "remove", "US-GU")
    callgate.run("emergencies", "remove", "US-GU", status=1)


def test_what_is_told_of_a_person_fits_sixty_columns(callgate: CommandLine, dialler: Dialler) -> None:
    mine = ("--account", dialler.account_id)
    narrow = CommandLine({**callgate.environment, "COLUMNS": "60"})
    dialler.put(f"/v1/suppressions/{NUMBER}", {"reason": "asked us on the phone, twice, and then once more"})
    late = ("--at", "2028-02-08T06:00:00Z")
    said = [
        narrow.run("check", NUMBER, *late, *mine, status=1),
        narrow.run("windows", NUMBER, *late, *mine),
        narrow.run("scan", "Free spins at our casino! Visit bit.ly/3xyz now", *mine, status=1),
        narrow.run("suppressions", "show", NUMBER, *mine),
        narrow.run("keys", "list", *mine),
        narrow.run("pools", "list", *mine),
    ]
    for done in said:
        assert max(map(len, done.stdout.decode().splitlines())) <= 60, done.stdout.decode()
    told = " ".join(said[0].stdout.decode().split())
    assert "Mon 7 Feb 2028 22:00 America/Los_Angeles (2028-02-08T06:00:00Z)" in told


def test_the_shell_completes_commands(callgate: CommandLine) -> None:
    asked = {"COMP_WORDS": "callgate po", "COMP_CWORD": "1", "_CALLGATE_COMPLETE": "complete_bash"}
    shell = CommandLine({**callgate.environment, **asked})
    assert shell.run().stdout.decode().split() == ["policy", "pools"]
