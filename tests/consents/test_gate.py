"""Consents through the gate: presented and on record, ended between two intents, reassigned, recorded and answered."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from app.clock import utc_now
from app.guardrail.facts import Consent, Facts, Intent, PresentedConsent, Recipient
from app.instants import rfc3339
from app.intents.evaluate import evaluate_intent
from app.intents.services import RuleSet
from tests.contract.dialler import CALLER_ID, PRESENTED, Dialler, call, sms
from tests.contract.streams import ended, upload

WRITTEN = {**PRESENTED, "kind": "express_written"}
# fmt: off
STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME",
    "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA",
    "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY",
)
# fmt: on
# A Wednesday on which every clock of the fifty states is between ten and five.
NOON = datetime(2026, 12, 2, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize("voice", ["prerecorded", "artificial"])
@pytest.mark.parametrize("state", STATES)
def test_a_voice_that_is_not_live_sells_in_no_state_without_a_written_consent(
    state: str, voice: Any, rule_set: RuleSet
) -> None:
    code = next(
        code
        for code, entry in sorted(rule_set.number_locator.area_codes.by_code.items())
        if [region for region, _ in entry.regions] == [f"US-{state}"]
    )
    bare = Intent(
        "call", f"+1{code}5551234", CALLER_ID, voice_type=voice, recipient=Recipient(region=f"US-{state}")
    )
    given = datetime(2026, 11, 1, tzinfo=UTC)

    def codes(kind: Any, *, on_record: bool = False) -> tuple[str, ...]:
        presented = None if kind is None or on_record else PresentedConsent(kind, given, "form")
        intent = Intent(
            "call", bare.to, CALLER_ID, voice_type=voice, recipient=bare.recipient, consent=presented
        )
        stored = Consent("of record", kind, frozenset(("call",)), given, None)
        facts = Facts(consents=(stored,) if on_record else ())
        return evaluate_intent(rule_set, intent, facts, NOON).verdict.codes

    assert codes(None) == ("CONSENT_REQUIRED",)
    assert codes("express") == ("CONSENT_REQUIRED",)
    assert codes("purchase") == ("CONSENT_REQUIRED",)
    assert codes("express_written") == ()
    assert codes("express", on_record=True) == ("CONSENT_REQUIRED",)
    assert codes("purchase", on_record=True) == ("CONSENT_REQUIRED",)
    assert codes("express_written", on_record=True) == ()


def consents(document: dict[str, Any]) -> dict[str, Any]:
    """The guardrail's check."""
    found: dict[str, Any] = next(check for check in document["checks"] if check["guardrail"] == "consents")
    return found


def put(
    dialler: Dialler, number: str, kind: str = "express_written", given_at: str = "2026-01-05T12:00:00Z"
) -> str:
    """A consent on record; its id."""
    body = {"kind": kind, "channels": ["call", "sms"], "given_at": given_at, "evidence": "form"}
    answer = dialler.put(f"/v1/consents/{number}", body)
    assert answer.status in (200, 201), answer.body
    return str(answer.json()["id"])


def recorded_voice(dialler: Dialler, number: str, **fields: object) -> tuple[int, dict[str, Any]]:
    """Status and document of a marketing call with a recorded voice. The account's number is in New York."""
    answer = dialler.post("/v1/intents", call(number, voice_type="prerecorded", **fields))
    return answer.status, answer.json()


def test_the_refusal_names_who_wants_which_kind(dialler: Dialler) -> None:
    preview = dialler.post(
        "/v1/intents/preview", call("+12125551234", voice_type="artificial", at="2026-12-02T20:00:00Z")
    ).json()
    assert preview["verdict"] == "blocked"
    (violation,) = preview["violations"]
    assert (violation["code"], violation["guardrail"]) == ("CONSENT_REQUIRED", "consents")
    assert violation["type"].endswith("/consent-required")
    assert violation["kinds"] == ["express_written"]
    assert {rule["id"]: rule["citation"] for rule in violation["rules"]}["US/recorded-marketing-mobile"] == (
        "47 CFR 64.1200(a)(2)"
    )
    assert "artificial voice" in violation["detail"]


def test_a_consent_presented_is_as_good_as_one_on_record_and_is_recorded(dialler: Dialler) -> None:
    number = us_number(dialler)
    status, refused = recorded_voice(dialler, number)
    assert (status, refused["code"]) == (403, "CONSENT_REQUIRED")
    status, approval = recorded_voice(dialler, number, consent=WRITTEN, subject="spring offer")
    assert status == 201, approval
    assert consents(approval)["consents"][0]["id"] == "presented"
    decision = dialler.get(f"/v1/intents/{approval['id']}").json()
    assert decision["consent"] == WRITTEN
    assert decision["subject"] == "spring offer"
    assert decision["versions"]["consents"]
    relied_on = put(dialler, number)
    status, approval = recorded_voice(dialler, number)
    assert status == 201, approval
    assert consents(approval)["consents"][0]["id"] == relied_on


def test_an_opt_out_between_two_intents_is_seen_by_the_second_presented_or_not(dialler: Dialler) -> None:
    number = us_number(dialler)
    put(dialler, number)
    assert recorded_voice(dialler, number)[0] == 201
    message = {"from": number, "to": CALLER_ID, "body": "STOP"}
    assert dialler.post("/v1/inbound-messages", message).status == 200
    status, refused = recorded_voice(dialler, number, consent=WRITTEN)
    assert [violation["code"] for violation in refused["violations"]] == ["DNC_BLOCKED", "CONSENT_REQUIRED"]
    # Opted in again, the person may be contacted; what they had agreed to before is over all the same.
    assert dialler.post("/v1/inbound-messages", {**message, "body": "START"}).status == 200
    status, refused = recorded_voice(dialler, number, consent=WRITTEN)
    assert (status, refused["code"]) == (403, "CONSENT_REQUIRED")
    assert refused["violations"][0]["considered"][0]["reason"] == "overtaken"
    newer = {**WRITTEN, "given_at": rfc3339(utc_now())}
    assert recorded_voice(dialler, number, consent=newer)[0] == 201


def test_a_consent_that_is_withdrawn_or_replaced_ends_at_once(dialler: Dialler) -> None:
    number = us_number(dialler)
    put(dialler, number)
    assert recorded_voice(dialler, number)[0] == 201
    put(dialler, number, kind="express")
    status, refused = recorded_voice(dialler, number)
    assert (status, refused["violations"][0]["considered"][0]["reason"]) == (403, "other_kind")
    assert dialler.delete(f"/v1/consents/{number}").status == 204
    assert recorded_voice(dialler, number)[0] == 403
    # What was presented from before the withdrawal is over with it.
    assert recorded_voice(dialler, number, consent=WRITTEN)[0] == 403


def test_a_consent_that_was_withdrawn_does_not_come_back_by_an_older_one(dialler: Dialler) -> None:
    number = us_number(dialler)
    put(dialler, number)
    assert dialler.delete(f"/v1/consents/{number}").status == 204
    again = dialler.put(f"/v1/consents/{number}", WRITTEN | {"channels": ["call", "sms"]})
    assert (again.status, again.json()["code"]) == (409, "CONFLICT")
    assert "withdrawn" in again.json()["detail"]
    assert recorded_voice(dialler, number)[0] == 403
    put(dialler, number, given_at=rfc3339(utc_now()))
    assert recorded_voice(dialler, number)[0] == 201


def us_number(dialler: Dialler) -> str:
    """A number of the United States whose window, that of recorded voices included, is open now, or a skip."""
    for pattern in ("+1212555{:04d}", "+1303555{:04d}", "+1808555{:04d}", "+1671300{:04d}"):
        number = pattern.format(uuid.uuid4().int % 10_000)
        body = call(number, voice_type="prerecorded")
        preview = dialler.post("/v1/intents/preview", body).json()
        window = next(check for check in preview["checks"] if check["guardrail"] == "calling_window")
        if window["outcome"] == "pass":
            return number
    pytest.skip("nowhere in the United States is it between 09:00 and 21:00")


def test_what_is_presented_needs_its_kind_its_date_and_its_evidence(dialler: Dialler) -> None:
    answer = dialler.post("/v1/intents", call("+12125551234", consent={}))
    assert answer.status == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} >= {
        "/consent/kind",
        "/consent/given_at",
        "/consent/evidence",
    }
    for wrong in ({"subject": ""}, {"subject": "x" * 65}, {"recipient": {"kind": "robot"}}):
        assert dialler.post("/v1/intents", call("+12125551234", **wrong)).status == 422
    assert dialler.post("/v1/intents", call("+12125551234", recipient={"line_type": "cell"})).status == 422


def test_an_artificial_voice_is_told_what_it_must_say(dialler: Dialler) -> None:
    preview = dialler.post(
        "/v1/intents/preview",
        call("+18015551234", voice_type="artificial", consent=WRITTEN, at="2026-12-02T20:00:00Z"),
    ).json()
    assert preview["verdict"] == "approved", preview["violations"]
    told = {item["id"]: item for item in consents(preview)["disclosures"]}
    assert told["US-UT/ai"]["what"] == ["ai"]
    assert told["US-UT/ai"]["citation"]
    assert told["US/identity"]["when"] == "start"
    live = dialler.post("/v1/intents/preview", call("+18015551234", at="2026-12-02T20:00:00Z")).json()
    assert "disclosures" not in consents(live)


def test_what_the_caller_says_of_the_line_and_the_person_is_judged_and_recorded(dialler: Dialler) -> None:
    arizona = {"at": "2026-12-02T20:00:00Z"}
    assert dialler.post("/v1/intents/preview", call("+16025551234", **arizona)).json()["verdict"] == "blocked"
    landline = call("+16025551234", recipient={"line_type": "landline"}, **arizona)
    assert dialler.post("/v1/intents/preview", landline).json()["verdict"] == "approved"
    business = call("+12035551234", recipient={"kind": "business"}, **arizona)
    assert dialler.post("/v1/intents/preview", business).json()["verdict"] == "approved"
    decided = dialler.post(
        "/v1/intents", call("+12035551234", recipient={"kind": "business", "line_type": "voip"})
    ).json()
    identity = decided.get("id") or decided["intent_id"]
    decision = dialler.get(f"/v1/intents/{identity}").json()
    assert decision["recipient"] == {"kind": "business", "line_type": "voip"}


def test_where_the_law_leaves_it_open_the_policy_decides_and_never_lifts_the_law(dialler: Dialler) -> None:
    at = {"at": "2026-12-02T20:00:00Z"}
    text, spoken = sms("+12125551234", consent=None, **at), call("+12125551234", **at)
    recorded = call("+12125551234", voice_type="prerecorded", **at)

    def verdicts() -> list[str]:
        return [
            dialler.post("/v1/intents/preview", body).json()["verdict"] for body in (text, spoken, recorded)
        ]

    assert verdicts() == ["approved", "approved", "blocked"]
    for given, answered, found in (
        ("all", "all", ["blocked", "blocked", "blocked"]),
        ({"sms": "all"}, {"call": "law", "sms": "all"}, ["blocked", "approved", "blocked"]),
        ({"call": "all", "sms": "law"}, {"call": "all", "sms": "law"}, ["approved", "blocked", "blocked"]),
        ("law", "law", ["approved", "approved", "blocked"]),
    ):
        put_policy = dialler.put("/v1/policy", {"consent": given})
        assert (put_policy.status, put_policy.json()["consent"]) == (200, answered)
        assert verdicts() == found
    assert dialler.get("/v1/policy/versions").json()["items"][0]["policy"]["consent"] == "law"
    assert dialler.put("/v1/policy", {"consent": "none"}).status == 422


def test_caller_ids_that_are_not_the_account_s_are_refused(dialler: Dialler) -> None:
    number = dialler.open_number()
    dialler.put("/v1/policy", {"callers": ["+12125550177"]})
    assert dialler.call(to=number).status == 201, "without callers_only the list is a note"
    answer = dialler.put("/v1/policy", {"callers": ["+12125550177"], "callers_only": True})
    assert (answer.json()["callers"], answer.json()["callers_only"]) == (["+12125550177"], True)
    refused = dialler.call(to=number)
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "from")
    assert dialler.post("/v1/intents/preview", call(number)).status == 422
    assert dialler.post("/v1/intents", {**call(number), "from": "+12125550177"}).status == 201
    dialler.put("/v1/policy", {"callers_only": True})
    assert dialler.call(to=number).status == 201, "an empty list is any"


def test_a_reassigned_number_ends_the_consents_given_before_and_nothing_else(
    dialler: Dialler, operator: Dialler
) -> None:
    number, other = us_number(dialler), us_number(dialler)
    name = f"reassigned-{uuid.uuid4().hex[:8]}"
    assert operator.put(f"/v1/registries/{name}", {"kind": "reassigned"}).status == 201
    try:
        put(dialler, number, given_at="2026-05-01T12:00:00Z")
        put(dialler, other, given_at="2026-05-01T12:00:00Z")
        assert recorded_voice(dialler, number)[0] == 201
        lines = f"number,date\n{number},2026-06-10\n{other},2026-04-01\n"
        assert load(operator, name, lines)["status"] == "succeeded"
        status, refused = recorded_voice(dialler, number)
        assert (status, refused["code"]) == (403, "CONSENT_REQUIRED")
        assert refused["violations"][0]["considered"][0]["reason"] == "reassigned"
        assert recorded_voice(dialler, other)[0] == 201, "given after the number had changed hands"
        assert dialler.post("/v1/intents", call(number)).status == 201, "a live call needs none"
        put(dialler, number, given_at="2026-06-12T12:00:00Z")
        assert recorded_voice(dialler, number)[0] == 201
        assert load(operator, name, f"{number},2026-13-10\n")["status"] == "failed"
        change = upload(operator, f"/v1/registries/{name}/changes", b"415,5550213,A\n", "text/plain")
        assert change.status == 409, "a change says no day"
    finally:
        operator.delete(f"/v1/registries/{name}")


@pytest.mark.parametrize(("kind", "other"), [("national_dnc", "reassigned"), ("reassigned", "litigator")])
def test_a_list_that_is_loaded_becomes_none_of_reassigned_numbers_nor_one_of_these_another(
    dialler: Dialler, operator: Dialler, kind: str, other: str
) -> None:
    number, name = us_number(dialler), f"kind-{uuid.uuid4().hex[:8]}"
    assert operator.put(f"/v1/registries/{name}", {"kind": other}).status == 201
    assert operator.put(f"/v1/registries/{name}", {"kind": kind}).status == 200, "nothing is loaded yet"
    try:
        assert load(operator, name, f"{number}\n")["status"] == "succeeded"
        before = dialler.post("/v1/intents", call(number)).status
        assert before == (403 if kind == "national_dnc" else 201)
        refused = operator.put(f"/v1/registries/{name}", {"kind": other})
        assert (refused.status, refused.json()["code"]) == (409, "CONFLICT")
        assert operator.get(f"/v1/registries/{name}").json()["kind"] == kind
        assert dialler.post("/v1/intents", call(number)).status == before
        assert operator.put(f"/v1/registries/{name}", {"kind": kind, "max_age_days": 31}).status == 200
        if kind != "reassigned":
            assert operator.put(f"/v1/registries/{name}", {"kind": "custom"}).status == 200, (
                "it forbids as before"
            )
            assert dialler.post("/v1/intents", call(number)).status == before
    finally:
        operator.delete(f"/v1/registries/{name}")


def load(operator: Dialler, name: str, lines: str) -> dict[str, Any]:
    """The job of a load, once it has ended."""
    answer = upload(operator, f"/v1/registries/{name}/versions", lines.encode(), "text/plain")
    assert answer.status == 202, answer.body
    return ended(operator, answer.headers["location"])


def test_the_outlook_takes_the_same_words_of_the_line_the_person_and_the_voice(dialler: Dialler) -> None:
    query = "voice_type=artificial&line_type=landline&kind=business"
    assert dialler.get(f"/v1/calling-windows/+12125551234?{query}").status == 200
    assert dialler.get("/v1/calling-windows/+12125551234?kind=robot").status == 400
