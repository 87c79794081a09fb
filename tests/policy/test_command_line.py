"""callgate check, windows, scan and accounts, on the database of a running service and without asking it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.intents.services import RuleSet
from tests.policy.account import FRANCISCO, MORNING, TUESDAY, UTAH, Account
from tests.service import CHECKOUT, RunningService

Run = Callable[..., Result]
CASINO = "Free spins at our casino!"


@pytest.fixture
def run(gate: RunningService, rule_set: RuleSet, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `callgate` with these arguments in the service's environment, with the rules that were read already."""
    monkeypatch.setattr("app.intents.services.load_rule_set", lambda *_, **__: rule_set)
    for name, value in gate.environment.items():
        if name.startswith("CALLGATE_"):
            monkeypatch.setenv(name, value)
    return lambda *arguments, **options: CliRunner().invoke(app, [str(a) for a in arguments], **options)


def test_an_approval_is_said_in_words_and_by_the_exit_status(run: Run) -> None:
    result = run("check", FRANCISCO, "--at", MORNING)
    assert result.exit_code == 0, result.output
    assert "approved" in result.output
    assert "Tue 10:00 America/Los_Angeles" in result.output
    assert "\x1b[" not in result.output, "colours are for terminals"


def test_a_refusal_says_every_reason_and_the_way_back(run: Run, operator: Account) -> None:
    operator.put("/v1/suppressions/+14155550133", {"reason": "asked us not to"})
    result = run("check", "+14155550133", "--at", f"{TUESDAY}T06:00:00Z", "--sms", CASINO)
    assert result.exit_code == 1
    for words in (
        "DNC_BLOCKED",
        "asked us not to",
        "TCPA_BLOCKED",
        "47 CFR 64.1200(c)(1)",
        "CONTENT_BLOCKED",
    ):
        assert words in " ".join(result.output.split()), "wherever the line was broken"
    again = "may go out again: Tue 8 Feb 2028 09:00 America/Los_Angeles (2028-02-08T17:00:00Z)"
    assert again in " ".join(result.output.split())
    assert "^^^^^^" in result.output


def test_json_says_the_same_as_the_preview(run: Run, operator: Account) -> None:
    at = f"{TUESDAY}T14:30:00Z"
    result = run("check", UTAH, "--at", at, "--zip", "10001", "--json")
    told = json.loads(result.output)
    preview = operator.preview(to=UTAH, at=at, recipient={"postal_code": "10001"})
    assert (told["verdict"], result.exit_code) == (preview["verdict"], 1)
    assert told["checks"] == preview["checks"]
    assert [v["detail"] for v in told["violations"]] == [v["detail"] for v in preview["violations"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "4155551234"], "E.164"),
        (["check", FRANCISCO, "--sms", " \u200b"], "can be seen"),
        (["check", "+19995551234"], "area code 999"),
        (["check", FRANCISCO, "--at", "tomorrow"], "RFC 3339"),
        (["check", FRANCISCO, "--at", "2026-11-21T18:00:00"], "offset"),
        (["check", FRANCISCO, "--region", "US-QQ"], "--region 'US-QQ' is not a region"),
        (["check", FRANCISCO, "--zip", "00000"], "--zip 00000"),
        (["check", FRANCISCO, "--from", "72345"], "--from 72345"),
        (["check", FRANCISCO, "--sms", ""], "1 to 1600"),
        (["check", FRANCISCO, "--account", "x"], "not an account id"),
        (["check", FRANCISCO, "--account", "01a1fff0-9a4b-7a7b-ab00-81f28a621aec"], "no account"),
        (["windows", "+1999"], "ten digits"),
        (["scan", "", "--packs-only"], "1 to 1600"),
    ],
)
def test_a_mistake_in_the_command_ends_with_one_line_and_2(
    run: Run, arguments: list[str], words: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_database_that_is_away_ends_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGATE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    result = run("check", FRANCISCO)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "cannot be asked" in result.stderr


def test_windows_shows_every_clock_and_every_rule(run: Run) -> None:
    result = run("windows", FRANCISCO, "--days", "2", "--at", f"{TUESDAY}T08:00:00Z", "--zip", "10001")
    assert result.exit_code == 0, result.output
    for words in (
        "America/Los_Angeles",
        "America/New_York",
        "area code 415",
        "09:00-18:00",
        "12:00-21:00",
        "US-NY",
    ):
        assert words in result.output
    told = json.loads(
        run("windows", FRANCISCO, "--at", f"{TUESDAY}T08:00:00Z", "--days", "1", "--json").output
    )
    assert [(span["opens_at"], span["closes_at"]) for span in told["open"]] == [
        ("2028-02-08T17:00:00Z", "2028-02-09T05:00:00Z")
    ]


def test_windows_that_never_open_end_with_1_and_say_what_would_help(run: Run) -> None:
    result = run("windows", "+18005551234")
    assert result.exit_code == 1
    assert "--zip" in result.output


def test_scan_underlines_what_it_found(run: Run) -> None:
    result = run("scan", f"💸 {CASINO}", "--packs-only")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == f"💸 {CASINO}"
    assert lines[1].strip("^ ") == ""
    assert lines[1].index("^") == 3, "the sign before it is two columns wide"
    assert "gambling" in result.output
    assert "blocked" in lines[-1]


def test_scan_reads_a_pipe_and_follows_the_account_s_policy(run: Run, operator: Account) -> None:
    text = "Two for one craft beer tonight at the Rusty Anchor, bring your friends."
    assert run("scan", "-", input=text + "\n").exit_code == 1
    operator.policy(content={"allow": ["shaft.alcohol"]})
    result = run("scan", "-", "--json", input=text + "\n")
    assert (result.exit_code, json.loads(result.output)["blocked"]) == (0, False)
    assert run("scan", text, "--packs-only").exit_code == 1
    operator.policy()


def test_an_account_that_is_made_here_works_over_http(run: Run, gate: RunningService) -> None:
    made = json.loads(run("accounts", "create", "Acme Dental", "--json").output)
    account = Account(gate, made["key"])
    account.policy(house_window={"start": "11:00", "end": "12:00"})
    assert made["created_at"].endswith("Z")
    assert made["id"] in run("accounts", "list").output
    assert "Acme Dental" in [found["name"] for found in json.loads(run("accounts", "list", "--json").output)]
    assert run("check", FRANCISCO, "--at", MORNING, "--account", made["id"]).exit_code == 1
    assert run("check", FRANCISCO, "--at", MORNING).exit_code == 0


def test_the_process_itself_ends_with_the_verdict(gate: RunningService) -> None:
    command = [sys.executable, "-m", "app.cli", "check", FRANCISCO, "--at", f"{TUESDAY}T06:00:00Z"]
    ended = subprocess.run(
        command, cwd=CHECKOUT, env=gate.environment, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "blocked" in ended.stdout


@pytest.mark.parametrize("command", ["check", "windows", "scan", "accounts"])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.output or command == "accounts"


def test_a_replay_reads_what_was_recorded_and_nothing_differs_by_the_same_rules(
    run: Run, operator: Account
) -> None:
    made = operator.send("POST", "/v1/accounts", {"name": "of a replay"}).json()
    body = {"type": "call", "to": FRANCISCO, "from": "+12125550100", "campaign": "replayed"}
    assert Account(operator.service, made["key"]).send("POST", "/v1/intents", body).status in (201, 403)
    found = run("law", "replay", "--since", "2020-01-01", "--account", made["id"], "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.output)["campaigns"]["replayed"] == {
        "decisions": 1,
        "blocked": 0,
        "opened": 0,
        "rules": {},
        "undecided": {},
    }


def test_a_number_of_two_spellings_is_told_in_both(run: Run) -> None:
    """Mexico's mobiles had a 1 behind the country code until 2019, and many lists have it still."""
    given, dialled = "+5215512345678", "+525512345678"
    told = run("check", given, "--at", MORNING)
    assert f"{dialled} (given as {given})" in " ".join(told.stdout.split())
    document = json.loads(run("check", given, "--at", MORNING, "--json").stdout)
    assert (document["to"], document["given"]) == (dialled, given)
    assert "given" not in run("check", dialled, "--at", MORNING).stdout
    assert "given" not in json.loads(run("check", dialled, "--at", MORNING, "--json").stdout)
