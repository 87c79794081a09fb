"""No refusal code and no problem type without a decision case, a page and an entry in the description."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.accounts.policy_document import read_policy
from app.guardrail.facts import Attempt, CampaignDay, Facts, SuppressionEntry
from app.guardrail.refusals import PRECEDENCE
from app.intents.bodies import INTENT
from app.intents.evaluate import evaluate_intent
from app.intents.services import RuleSet
from app.platform.http.problem_types import TYPES
from tests.contract.dialler import CALLER_ID, Dialler
from tests.servers import Servers, run_apart
from tests.service import RunningService

CASES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[1] / "cases" / "decisions.toml").read_text(encoding="utf-8")
)["case"]
JUDGED = [case for case in CASES if "now" in case]
DECIDED = [case for case in CASES if "now" not in case]


def body(case: dict[str, Any], **more: object) -> dict[str, Any]:
    """The body of the case's intent."""
    return {"type": "call", "from": CALLER_ID, **case["intent"], **more}


def named(case: dict[str, Any]) -> str:
    """The case's name, as the test's id."""
    return str(case["name"])


@pytest.mark.parametrize("case", JUDGED, ids=named)
def test_a_case_through_the_pure_core(case: dict[str, Any], rule_set: RuleSet) -> None:
    intent, now, given = INTENT.validate_python(body(case)).intent(), case["now"], case.get("facts", {})
    facts = Facts(
        policy=read_policy(given.get("policy", {}), 1),
        suppressions=tuple(
            SuppressionEntry(intent.to, channel, "", "manual", now)
            for channel in given.get("suppressions", [])
        ),
        attempts=tuple(
            Attempt(
                attempt["type"],
                now - timedelta(minutes=attempt["minutes"]),
                attempt.get("subject"),
                attempt.get("result"),
            )
            for attempt in given.get("attempts", [])
        ),
        campaign_days=tuple(
            CampaignDay(
                (now - timedelta(days=told["days"])).date(),
                told["answered"] + told["abandoned"],
                told["abandoned"],
            )
            for told in given.get("outcomes", [])
        ),
    )
    verdict = evaluate_intent(rule_set, intent, facts, now).verdict
    assert ("blocked" if verdict.blocked else "approved") == case["verdict"]
    assert list(verdict.codes) == case["codes"]


@pytest.mark.parametrize("case", JUDGED, ids=named)
def test_a_case_over_http(
    case: dict[str, Any], operator: Dialler, servers: Servers, gate_database: str
) -> None:
    """The same facts, put where the service keeps them; then the preview at the case's instant."""
    first = operator.service.post("/v1/accounts", {"name": case["name"]}).json()
    dialler = Dialler(operator.service, first["key"], first["id"])
    given = case.get("facts", {})
    for channel in given.get("suppressions", []):
        entry = {"number": case["intent"]["to"], "channel": channel}
        assert dialler.post("/v1/suppressions", entry).status == 201
    run_apart(put_facts(servers, gate_database, dialler.account_id, case))
    # Only the first account's key carries the scope that an emergency needs.
    asker = operator if case["intent"].get("purpose") == "emergency" else dialler
    sent = body(case, at=case["now"].isoformat().replace("+00:00", "Z"))
    preview = asker.post("/v1/intents/preview", sent).json()
    assert preview["verdict"] == case["verdict"], preview
    assert list(dict.fromkeys(violation["code"] for violation in preview["violations"])) == case["codes"]


async def put_facts(servers: Servers, database: str, account_id: str, case: dict[str, Any]) -> None:
    """The account's policy and its attempts, of which one was made at an instant that is long past."""
    given = case.get("facts", {})
    connection = await asyncpg.connect(
        host=str(servers.postgres.directory), user="callgate", database=database
    )
    try:
        if "policy" in given:
            await connection.execute(
                "UPDATE accounts SET policy = $1::text::jsonb, policy_version = 1 WHERE id = $2",
                json.dumps(given["policy"]),
                account_id,
            )
        for attempt in given.get("attempts", []):
            at: datetime = case["now"] - timedelta(minutes=attempt["minutes"])
            await connection.execute(
                "INSERT INTO attempts (intent_id, account_id, number, type, at, fence, subject, result)"
                " VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
                uuid4(),
                account_id,
                case["intent"]["to"],
                attempt["type"],
                at,
                attempt.get("subject"),
                attempt.get("result"),
            )
        for told in given.get("outcomes", []):
            await connection.execute(
                "INSERT INTO outcome_days (account_id, campaign, day, answered, abandoned) VALUES ($1, $2, $3, $4, $5)",
                account_id,
                case["intent"].get("campaign", ""),
                (case["now"] - timedelta(days=told["days"])).date(),
                told["answered"],
                told["abandoned"],
            )
    finally:
        await connection.close()


@pytest.mark.parametrize("case", DECIDED, ids=named)
def test_a_case_of_the_channel_over_http(case: dict[str, Any], dialler: Dialler) -> None:
    """A channel is sought only when an intent is decided, so the number must be one that is open now."""
    pool = dict(case["pool"])
    before = pool.pop("calls_before", 0)
    dialler.pool(case["intent"]["pool"], **pool)
    sent = body(case, to=dialler.open_number())
    for _ in range(before):
        dialler.post("/v1/intents", sent)
    answer = dialler.post("/v1/intents", sent)
    assert [violation["code"] for violation in answer.json()["violations"]] == case["codes"]
    assert answer.json()["code"] == case["codes"][0]


def test_every_refusal_code_has_a_case_that_it_decides_alone() -> None:
    alone = {case["codes"][0] for case in CASES if len(case["codes"]) == 1}
    assert alone == {refusal.code for refusal in PRECEDENCE}


OF_THE_CONTRACT = {  # the contract, section 2
    "dnc-blocked": (403, "DNC Blocked"),
    "consent-required": (403, "Consent Required"),
    "tcpa-blocked": (403, "TCPA Blocked"),
    "frequency-capped": (403, "Frequency Capped"),
    "abandonment-exceeded": (403, "Abandonment Exceeded"),
    "content-blocked": (422, "Content Blocked"),
    "channel-budget-exceeded": (429, "Channel Budget Exceeded"),
    "rate-limited": (429, "Too Many Requests"),
}


def test_every_refusal_code_is_a_problem_type_of_the_same_name_and_status() -> None:
    types = {kind.slug: kind for kind in TYPES}
    for refusal in PRECEDENCE:
        kind = types[refusal.slug]
        assert (kind.status, kind.title, kind.code) == (*OF_THE_CONTRACT[refusal.slug], refusal.code)


def test_every_problem_type_has_a_page_and_an_entry_in_the_description(gate: RunningService) -> None:
    description = gate.request("GET", "/openapi.json").json()
    declared = {
        slug
        for item in description["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        for slug in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    # A method that a path does not have cannot be described at that path.
    assert declared == {kind.slug for kind in TYPES} - {"method-not-allowed"}
    codes = description["components"]["schemas"]["ProblemDocument"]["properties"]["code"]["enum"]
    assert codes == [kind.code for kind in TYPES]
    for kind in TYPES:
        page = gate.request("GET", f"/errors/{kind.slug}", headers={"Accept": "text/html"})
        assert page.status == 200
        assert kind.code.encode() in page.body
