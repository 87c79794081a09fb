"""One answer of every route, with all that it can carry, held against the description (tests/described.py does it)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from app.clock import utc_now
from tests import described
from tests.contract.dialler import Dialler, call, new_account, rfc3339, sms
from tests.contract.streams import ended, upload
from tests.replies.carriers import NAMES, Carriers
from tests.service import Answer, RunningService

REGISTRY = "/v1/registries/described"
LISTED, TEXTER = "+14155550301", "+14155550302"


@pytest.fixture
def registry(operator: Dialler) -> Iterator[str]:
    """A registry with one number, and with a second version of it."""
    body = {"kind": "national_dnc", "applies_to": ["call", "sms"], "purposes": ["marketing"]}
    assert operator.put(REGISTRY, body).status == 201
    assert operator.put(REGISTRY, body).status == 200
    for path in (f"{REGISTRY}/versions", f"{REGISTRY}/changes"):
        lines = b"415,5550301\n" if path.endswith("versions") else b"415,5550303,A\n"
        job = upload(operator, path, lines, "text/plain")
        assert ended(operator, job.headers["location"])["status"] == "succeeded"
    yield REGISTRY
    assert operator.delete(REGISTRY).status == 204


def good(answer: Answer) -> Any:
    """The body of an answer that is no refusal."""
    assert answer.status < 300, answer.body
    return answer.json() if "json" in answer.headers.get("content-type", "") else None


def test_an_answer_of_every_route_is_as_it_is_described(
    gate: RunningService, operator: Dialler, registry: str
) -> None:
    one = new_account(gate)
    _decisions(one)
    _channels(one)
    _lists(one)
    _people(one)
    _other_systems(one)
    _administration(operator, one)
    _events(one)
    for path in (registry, f"{registry}/jobs", f"{registry}/versions", "/v1/registries"):
        good(operator.get(path))
    for path in ("/livez", "/readyz", "/metrics", "/errors", "/errors/dnc-blocked", "/docs"):
        good(gate.request("GET", path))
    job = good(operator.get(f"{registry}/jobs"))["items"][0]["id"]
    good(operator.get(f"{registry}/jobs/{job}"))
    good(operator.get(f"{registry}/jobs/{job}/rejects"))
    expected = {
        (method, path)
        for path, operations in described.description()["paths"].items()
        for method, operation in operations.items()
        if "204" not in operation["responses"]
    }
    answered = {(method, path) for method, path, status in described.ANSWERED if status < "300"}
    assert expected - answered == set()


def _decisions(one: Dialler) -> None:
    recipient = {"postal_code": "94103", "timezone": "America/Los_Angeles"}
    decided = [
        one.call(campaign="autumn", recipient=recipient),
        one.post("/v1/intents", sms(one.open_number(), first_contact=True, body="Casino night: free spins")),
        one.post("/v1/intents", sms(LISTED, body="Naïve “quotes”")),
        one.call(to="+18005550100"),
        one.call(to=LISTED),
    ]
    for answer in decided:
        assert answer.status in (201, 403, 422), answer.body
        found = answer.json()
        good(one.get(f"/v1/intents/{found.get('intent_id') or found['id']}"))
    body = {"intents": [call(LISTED), call(one.open_number()), {"type": "call"}]}
    good(one.post("/v1/intents/batch", body))
    good(one.get("/v1/intents"))
    for query in ("export", "stats", "stats?interval=day&group_by=code"):
        good(one.get(f"/v1/intents/{query}"))
    good(one.post("/v1/intents/preview", {**call("+15045551234"), "at": "2028-02-06T18:00:00Z"}))
    good(one.post("/v1/content/scan", {"body": "Free – café", "first_contact": True}))
    for query in ("", "?timezone=America/Los_Angeles&days=14&at=2028-12-20T00:00:00Z"):
        good(one.get(f"/v1/calling-windows/{LISTED}{query}"))
    good(one.get("/v1/calling-windows/+18005550100"))


def _channels(one: Dialler) -> None:
    one.pool(capacity=3, calls_per_second=2, burst=3, reserve={"marketing": 1})
    lease = one.approved(pool="trunk")["lease"]["id"]
    good(one.get(f"/v1/leases/{lease}"))
    good(one.post(f"/v1/leases/{lease}/renew", {"extend_by": 60}))
    good(one.get("/v1/pools"))
    good(one.get("/v1/pools/trunk"))
    good(one.post("/v1/pools/trunk/reconcile", {"active": ["nobody"], "listed_at": rfc3339(utc_now())}))
    good(one.post(f"/v1/intents/{lease}/outcome", {"result": "abandoned", "ring_seconds": 4}))
    good(one.get("/v1/outcomes"))
    good(one.delete(f"/v1/leases/{lease}"))
    good(one.get("/v1/pools/trunk/events"))
    for name, limit in (("account", {"capacity": 5}), ("sender:+12125550100", {"messages_per_day": 1000})):
        good(one.put(f"/v1/limits/{name}", limit))
        good(one.put(f"/v1/limits/{name}", limit))
        good(one.get(f"/v1/limits/{name}"))
    good(one.get("/v1/limits"))
    one.pool("full", 0)
    assert one.call(pool="full").status == 429
    one.put("/v1/policy", {"caps": [{"max": 1, "period": "PT24H"}]})
    number = one.open_number()
    good(one.call(to=number))
    assert one.call(to=number).json()["code"] == "FREQUENCY_CAPPED"


def _lists(one: Dialler) -> None:
    good(one.post("/v1/suppressions", {"number": LISTED, "expires_at": "2199-01-01T00:00:00Z"}))
    assert one.post("/v1/suppressions", {"number": LISTED}).status == 409
    good(one.put(f"/v1/suppressions/{LISTED}", {"reason": "asked"}))
    good(one.put(f"/v1/suppressions/{LISTED}", {"channel": "sms"}))
    assert one.call(to=LISTED).status == 403
    for path in ("", f"/{LISTED}", f"/{LISTED}/history", "/export"):
        good(one.get(f"/v1/suppressions{path}"))
    good(one.post("/v1/suppressions/lookup", {"numbers": [LISTED, "no number", TEXTER]}))
    job = upload(one, "/v1/suppressions/imports?partial=true", f"number\n{TEXTER}\n12\n".encode(), "text/csv")
    ended(one, job.headers["location"])
    good(one.get("/v1/suppressions/imports"))
    good(one.get(f"{job.headers['location']}/rejects"))
    good(one.delete(job.headers["location"]))
    good(upload(one, "/v1/scrub", f"number\n{LISTED}\n12\n".encode(), "text/csv"))


def _other_systems(one: Dialler) -> None:
    carriers = Carriers(one.service.base_url, one.with_key("inbound:write").key)
    good(one.put("/v1/policy", {"inbound": {"carriers": carriers.policy()}}))
    good(one.get("/v1/policy"))
    for name in NAMES:
        sent = carriers.sent(name, TEXTER, "HELP", "m-1")
        good(one.service.request("POST", sent.path, sent.body, headers=dict(sent.headers)))
    good(one.get("/v1/inbound-messages"))
    query = urlencode({"to": one.open_number(), "from": "+12125550100"})
    good(one.get(f"/connectors/check?{query}"))
    good(one.post("/connectors/vapi", {"message": {"type": "status-update"}}))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    good(one.post("/connectors/dnc-scrub", b"phoneList=4155550100", headers=form))


def _people(one: Dialler) -> None:
    for body in ("STOP", "START", "HELP", "what?"):
        good(one.post("/v1/inbound-messages", {"from": TEXTER, "to": "+12125550100", "body": body}))
    given = {"kind": "express_written", "channels": ["call", "sms"], "evidence": {"form": 7}}
    for day in (2, 1):
        given_at = rfc3339(utc_now() - timedelta(days=day))
        good(one.put(f"/v1/consents/{LISTED}", {**given, "given_at": given_at}))
    good(one.get(f"/v1/consents/{LISTED}"))
    good(one.get(f"/v1/consents/{LISTED}/history"))
    for number in (LISTED, TEXTER):
        good(one.get(f"/v1/numbers/{number}"))
    good(one.post("/v1/policy/preview", {"policy": {"house_window": {"start": "00:00", "end": "00:01"}}}))
    for path in ("", "/export", "/imports"):
        good(one.get(f"/v1/consents{path}"))
    job = upload(one, "/v1/consents/imports", b"number,kind,channels,given_at,evidence\n12,,,,\n", "text/csv")
    ended(one, job.headers["location"])
    good(one.get(f"{job.headers['location']}/rejects"))
    good(one.delete(job.headers["location"]))
    limit = {"max": 0, "period": "P30D", "action": "block"}
    good(one.put("/v1/policy", {"abandonment": limit}))
    assert one.call(campaign="spring").status == 201
    # The lease above was told to have been abandoned, by a call that named no campaign.
    assert one.call().json()["code"] == "ABANDONMENT_EXCEEDED"
    one.put("/v1/policy", {})
    assert one.put(f"/v1/consents/{TEXTER}", {**given, "given_at": "2020-01-01T00:00:00Z"}).status == 409
    version = good(one.put("/v1/policy", {"names": ["Callgate"], "inbound": {"help_reply": "Call us"}}))[
        "version"
    ]
    good(one.get("/v1/policy"))
    good(one.get("/v1/policy/versions"))
    assert one.put("/v1/policy", {"version": version - 1}).status == 409


def _administration(operator: Dialler, one: Dialler) -> None:
    good(operator.get("/v1/accounts"))
    good(operator.post("/v1/accounts", {"name": "described"}))
    good(one.post("/v1/api-keys", {"name": "described", "scopes": ["pools:read"]}))
    good(one.get("/v1/api-keys"))
    good(one.get("/v1/whoami"))
    assert good(one.get("/v1/audit"))["items"]
    good(one.get("/v1/seals"))
    good(one.get("/v1/numbers/+14155550101/evidence"))
    good(one.service.request("GET", "/.well-known/callgate-keys.json"))
    until = rfc3339(utc_now() + timedelta(minutes=5))
    # Where no test calls: it binds every account until it is taken back.
    for _ in range(2):
        good(operator.put("/v1/emergencies/US-AS", {"until": until, "reason": "a storm"}))
    good(operator.get("/v1/emergencies"))
    good(operator.get("/v1/emergencies/US-AS"))
    assert operator.delete("/v1/emergencies/US-AS").status == 204
    for _ in range(2):
        good(operator.put("/v1/holidays/US-AS/2028-02-08", {"name": "a day of mourning"}))
    good(operator.get("/v1/holidays"))
    good(operator.get("/v1/holidays/US-AS/2028-02-08"))
    assert operator.delete("/v1/holidays/US-AS/2028-02-08").status == 204
    for path in ("/v1/law?region=US-TX", "/v1/law/lists", "/law"):
        good(operator.get(path))


def _events(one: Dialler) -> None:
    good(one.get("/v1/events"))
    body = {"url": "https://hooks.invalid/", "events": ["suppression.added"], "enabled": False}
    for _ in range(2):
        good(one.put("/v1/webhooks/described", body))
    good(one.get("/v1/webhooks"))
    good(one.get("/v1/webhooks/described"))
    good(one.post("/v1/webhooks/described/rotate", {}))
    good(one.post("/v1/webhooks/described/redeliver", {"since": "2026-01-01T00:00:00Z"}))
    good(one.post("/v1/webhooks/described/test", None))
    good(one.get("/v1/webhooks/described/deliveries"))
    assert one.delete("/v1/webhooks/described").status == 204


def test_a_member_that_is_not_described_is_found() -> None:
    answer = b'{"status": "ok", "surprise": 1}'
    described.check_described("GET", "/livez", 200, "application/json", b'{"status": "ok"}')
    with pytest.raises(AssertionError, match="surprise"):
        described.check_described("GET", "/livez", 200, "application/json", answer)
    with pytest.raises(AssertionError, match="not described"):
        described.check_described("GET", "/livez", 503, "application/problem+json", b"{}")


def test_no_document_allows_members_that_it_does_not_name() -> None:
    schemas = described.description()["components"]["schemas"]
    open_ones = [
        name
        for name, schema in schemas.items()
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False
    ]
    assert open_ones == []
