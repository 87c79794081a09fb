"""Card and social security numbers of a text stand nowhere: no answer, row, key, log, metric or terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import asyncpg
import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.contract.dialler import Dialler, sms
from tests.policy.account import FRANCISCO, Account
from tests.servers import Servers, run_apart
from tests.service import RunningService

CARD, SSN = "4111 1111 1111 1111", "219-09-9991"
TEXTS = (
    f"Your card {CARD} was charged, and 219-09-9991 is on file.",
    f"Free spins at our casino for {CARD}! SSN {SSN} \U0001f600 \u2013 \u201cnow\u201d",
    "Card \uff14\uff11\uff11\uff11 1111-1111\u00a01111, ssn 219 09 9991 at http://203.0.113.9/4111111111111111",
)
SHAPES = (
    "4111 1111",
    "41111111",
    "1111-1111",
    "1111 1111",
    "219-09",
    "219 09",
    "2190999",
    "\uff14\uff11\uff11",
)


_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")


def leaks(text: str) -> list[str]:
    """What of the numbers stands in the text, whether written plainly or in JSON's escapes.

    Not in ids: among thousands of them one has such digits by chance.
    """
    text = _ID.sub("", text)
    plain = re.sub(r"\\+u([0-9a-f]{4})", lambda escape: chr(int(escape[1], 16)), text)
    return [shape for shape in SHAPES if shape in text or shape in plain]


@pytest.fixture
def everything(servers: Servers, gate: RunningService) -> Callable[[], str]:
    """All that the service keeps: every row of every table, every key and value of Redis, the log."""

    async def rows() -> str:
        connection = await asyncpg.connect(gate.settings["database_url"].replace("+asyncpg", ""))
        try:
            tables = await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                # another session's temporary table, an import's under way, is not kept and cannot be read
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg\\_temp\\_%'"
            )
            kept: list[str] = []
            for table in tables:
                kept += [
                    r["row"] for r in await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")
                ]
            return "\n".join(kept)
        finally:
            await connection.close()

    def read() -> str:
        found = [run_apart(rows()), gate.log]
        with servers.redis_client() as redis:
            for key in redis.scan_iter():
                found += [repr(key), repr(redis.dump(key))]
        return "\n".join(found)

    return read


def decoded_bodies(kept: str) -> list[str]:
    """The bodies that answers kept for an Idempotency-Key have in the rows, out of their hex."""
    return [
        bytes.fromhex(found).decode(errors="replace")
        for found in re.findall(r"\\+x((?:[0-9a-f]{2}){8,})", kept)
    ]


@pytest.mark.parametrize("body", TEXTS)
def test_no_answer_row_key_log_or_metric_shows_a_number(
    account: Account, everything: Callable[[], str], body: str
) -> None:
    dialler = Dialler(account.service, account.key)
    number = dialler.open_number()
    key = {"Idempotency-Key": "a-text-with-numbers"}
    answers = [
        dialler.post("/v1/intents", sms(number, body=body), headers=key),
        dialler.post("/v1/intents", sms(number, body=body, first_contact=True)),
        dialler.post("/v1/intents/preview", sms(number, body=body)),
        dialler.post("/v1/intents/batch", {"intents": [sms(number, body=body)] * 2}, headers=key),
        dialler.post("/v1/content/scan", {"body": body, "first_contact": True}),
        dialler.post("/v1/intents", sms(number, body=body + " ") | {"surprise": body}),
        dialler.post("/v1/intents", sms(number, body=body * 40)),
        dialler.get("/v1/intents"),
    ]
    assert answers[0].status == 422
    answers.append(dialler.get(f"/v1/intents/{answers[0].json()['intent_id']}"))
    answers.append(dialler.get("/metrics"))
    for answer in answers:
        assert leaks(answer.body.decode()) == []
        assert leaks(json.dumps(dict(answer.headers))) == []
    recorded = answers[-2].json()
    assert "*" in recorded["body"]
    kept = everything()
    assert recorded["id"] in kept
    assert leaks(kept) == []
    bodies = decoded_bodies(kept)
    assert any("sensitive.card" in found for found in bodies), "the kept answer was looked at"
    assert leaks("\n".join(bodies)) == []


@pytest.mark.parametrize(
    "words", [f"STOP texting me, my card is {CARD}", f"please stop texting me. ssn {SSN}"]
)
def test_the_words_of_an_opt_out_are_kept_without_the_numbers(
    account: Account, everything: Callable[[], str], words: str
) -> None:
    message = {"from": FRANCISCO, "to": "+12125550100", "body": words}
    answer = account.send("POST", "/v1/inbound-messages", message, headers={"Idempotency-Key": "in"})
    assert answer.json()["action"] == "opt_out"
    for shown in (answer, account.get(f"/v1/suppressions/{FRANCISCO}"),
                  account.get(f"/v1/suppressions/{FRANCISCO}/history")):  # fmt: skip
        assert leaks(shown.body.decode()) == []
    assert leaks(everything()) == []


@pytest.mark.parametrize("body", TEXTS)
def test_the_command_line_shows_none_either(
    gate: RunningService, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    for name, value in gate.environment.items():
        if name.startswith("CALLGATE_"):
            monkeypatch.setenv(name, value)
    for arguments in (
        ["scan", body],
        ["scan", body, "--json"],
        ["scan", "-", "--packs-only", "--first-contact"],
    ):
        result = CliRunner().invoke(app, arguments, input=body)
        assert result.exit_code == 1
        assert "sensitive.card" in result.output
        assert leaks(result.output) == []
