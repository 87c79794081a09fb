"""GET /v1/calling-windows and POST /v1/content/scan: what is shown agrees with what is decided."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.policy.account import FRANCISCO, ORLEANS, TUESDAY, UTAH, Account, reasons

TUBA_CITY = {"latitude": 36.13, "longitude": -111.24}
SVG = {"Accept": "image/svg+xml"}


def windows(account: Account, number: str = FRANCISCO, **query: object) -> dict[str, Any]:
    answer = account.get(f"/v1/calling-windows/{number}?{urlencode(query)}")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json()
    return document


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_an_ordinary_day_in_one_place(account: Account) -> None:
    """From Tuesday 00:00 UTC, which is Monday 16:00 in San Francisco, by the house's 09:00 to 21:00."""
    found = windows(account, at=f"{TUESDAY}T00:00:00Z", days=1)
    assert [(span["opens_at"], span["closes_at"]) for span in found["open"]] == [
        ("2028-02-08T00:00:00Z", "2028-02-08T05:00:00Z"),
        ("2028-02-08T17:00:00Z", "2028-02-09T00:00:00Z"),
    ]
    assert found["open"][1]["local"] == [
        {
            "timezone": "America/Los_Angeles",
            "opens_at": "2028-02-08T09:00:00-08:00",
            "closes_at": "2028-02-08T16:00:00-08:00",
        }
    ]
    assert (found["open_now"], found["next_opens_at"]) == (True, "2028-02-08T17:00:00Z")
    (place,) = found["timezones"]
    assert (place["timezone"], place["regions"]) == ("America/Los_Angeles", ["US-CA"])
    assert place["because"]
    rules = {rule["id"]: rule for rule in found["rules"]}
    assert rules["US"]["citation"].startswith("47 CFR 64.1200(c)(1)")
    assert rules["US"]["source"]
    assert rules["US"]["confidence"] in ("high", "medium", "low")
    assert rules["US"]["removed"] == [{"from": "2028-02-08T05:00:00Z", "until": "2028-02-08T16:00:00Z"}]
    assert rules["house"]["removed_alone_seconds"] == 3600


@pytest.mark.parametrize(
    ("number", "query", "fields"),
    [
        (FRANCISCO, {}, {}),
        (ORLEANS, {"type": "sms"}, {"body": "Your table is ready."}),
        (UTAH, {"purpose": "informational"}, {"purpose": "informational"}),
        (FRANCISCO, {"postal_code": "10001"}, {"recipient": {"postal_code": "10001"}}),
        (
            "+14805551234",
            {"region": "US-IN", "timezone": "America/Chicago", "voice_type": "prerecorded"},
            {"recipient": {"region": "US-IN", "timezone": "America/Chicago"}, "voice_type": "prerecorded"},
        ),
        ("+18085551234", TUBA_CITY, {"recipient": TUBA_CITY}),
    ],
)
def test_the_open_stretches_agree_with_the_preview(
    account: Account, number: str, query: dict[str, object], fields: dict[str, object]
) -> None:
    """Over the change of clocks of March 2027, at both ends of every stretch and at random instants."""
    start = datetime(2027, 3, 8, 5, tzinfo=UTC)
    found = windows(account, number, at=start.isoformat().replace("+00:00", "Z"), days=14, **query)
    spans = [(instant(span["opens_at"]), instant(span["closes_at"])) for span in found["open"]]
    assert spans
    edges = {edge + timedelta(seconds=by) for span in spans for edge in span for by in (-1, 0)}
    chosen = random.Random(number)
    anywhere = {start + timedelta(seconds=chosen.randrange(14 * 86_400)) for _ in range(40)}
    for at in sorted(edge for edge in edges | anywhere if start <= edge < start + timedelta(days=14)):
        preview = account.preview(to=number, at=at.isoformat().replace("+00:00", "Z"), **fields)
        check = next(check for check in preview["checks"] if check["guardrail"] == "calling_window")
        assert (check["outcome"] == "pass") == any(begins <= at < ends for begins, ends in spans), at


def test_the_policy_and_a_consent_change_the_outlook(account: Account) -> None:
    query = {"at": "2028-02-06T06:00:00Z", "days": 1}
    assert windows(account, UTAH, **query)["open"] == []
    evidence = {
        "kind": "express",
        "channels": ["call"],
        "given_at": "2026-01-05T12:00:00Z",
        "evidence": "form 7",
    }
    consent = account.put(f"/v1/consents/{UTAH}", evidence).json()["id"]
    account.policy(house_window={"start": "10:00", "end": "11:00"})
    found = windows(account, UTAH, **query)
    assert [(span["opens_at"], span["closes_at"]) for span in found["open"]] == [
        ("2028-02-06T17:00:00Z", "2028-02-06T18:00:00Z")
    ]
    assert {rule["id"]: rule["lifted_by_consent"] for rule in found["rules"]}["US-UT"] == consent


def test_a_number_without_a_place_is_never_open_and_says_what_would_help(account: Account) -> None:
    found = windows(account, "+18005551234")
    assert (found["open"], found["open_now"], found["next_opens_at"]) == ([], False, None)
    assert found["unresolved"] == "toll_free"
    assert "postal_code" in found["hint"]
    assert windows(account, "+18005551234", postal_code="10001", days=14)["open"]


def test_the_picture_shows_the_same(account: Account) -> None:
    path = f"/v1/calling-windows/{FRANCISCO}?postal_code=10001&days=3&at={TUESDAY}T00:00:00Z"
    answer = account.get(path, headers=SVG)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["vary"] == "Accept"
    picture = ElementTree.fromstring(answer.body)
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert {"America/Los_Angeles", "America/New_York"} <= set(picture.itertext())
    spans = account.get(path).json()["open"]
    bars = [bar for bar in picture.iter("{http://www.w3.org/2000/svg}rect") if bar.get("class") == "open"]
    assert len([bar for bar in bars if len(bar)]) == 2 * len(spans), "every stretch on both clocks"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json, image/svg+xml;q=0.5", "application/json"),
        ("image/avif,image/svg+xml,*/*;q=0.8", "image/svg+xml"),
    ],
)
def test_json_unless_the_picture_is_preferred(account: Account, accept: str, kind: str) -> None:
    answer = account.get(f"/v1/calling-windows/{FRANCISCO}", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    ("number", "query", "status", "field"),
    [
        (FRANCISCO, "days=15", 400, "days"),
        (FRANCISCO, "days=0", 400, "days"),
        (FRANCISCO, "days=x", 400, "days"),
        (FRANCISCO, "type=fax", 400, "type"),
        (FRANCISCO, "zip=10001", 400, "zip"),
        (FRANCISCO, "latitude=40", 400, "query"),
        (FRANCISCO, "region=US-QQ", 422, "region"),
        (FRANCISCO, "postal_code=00000", 422, "postal_code"),
        ("4155551234", "", 400, "number"),
        ("+19995551234", "", 422, "number"),
    ],
)
def test_what_cannot_be_used_is_named(
    account: Account, number: str, query: str, status: int, field: str
) -> None:
    assert field in reasons(account.get(f"/v1/calling-windows/{number}?{query}"), status)


def test_scopes(account: Account) -> None:
    pools = account.with_scopes("pools:read")
    assert pools.get(f"/v1/calling-windows/{FRANCISCO}").json()["scope"] == "intents:read"
    assert pools.send("POST", "/v1/content/scan", {"body": "x"}).json()["scope"] == "intents:write"


# -- texts -----------------------------------------------------------------------------------------------------


def scan(account: Account, body: str, **fields: object) -> dict[str, Any]:
    answer = account.send("POST", "/v1/content/scan", {"body": body, **fields})
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json()
    return document


def test_an_honest_text_has_no_findings(account: Account) -> None:
    assert scan(account, "Your table for two is ready.") == {
        "blocked": False,
        "findings": [],
        "segments": {
            "encoding": "GSM-7",
            "units": 28,
            "count": 1,
            "forced_by": [],
            "suggestion": None,
            "dropped": [],
        },
        "version": scan(account, "x")["version"],
    }


def test_a_finding_names_the_rule_the_span_the_reason_and_the_way_out(account: Account) -> None:
    body = "💸 Free spins at our casino!"
    found = scan(account, body)
    assert found["blocked"] is True
    gambling = [finding for finding in found["findings"] if finding["rule"] == "gambling"]
    assert gambling
    for finding in gambling:
        assert finding["severity"] == "block"
        assert body[finding["start"] : finding["end"]] == finding["excerpt"], "spans count code points"
        assert finding["why"]
        assert finding["remedy"]
    assert found["segments"]["encoding"] == "UCS-2"
    assert found["segments"]["forced_by"] == ["💸"]


def test_a_card_number_is_never_answered(account: Account) -> None:
    answer = account.send("POST", "/v1/content/scan", {"body": "Card 4111 1111 1111 1111 – “paid”"})
    assert [finding["rule"] for finding in answer.json()["findings"]] == ["sensitive.card"]
    assert b"4111 1111" not in answer.body
    assert "****" in answer.json()["segments"]["suggestion"]


def test_the_scan_agrees_with_the_preview_and_follows_the_policy(account: Account) -> None:
    text = "Two for one craft beer tonight at the Rusty Anchor, bring your friends."
    for policy in (
        {},
        {"content": {"allow": ["shaft.alcohol"]}},
        {"content": {"block_phrases": ["rusty anchor"]}},
    ):
        account.policy(**policy)
        blocked = scan(account, text)["blocked"]
        assert (account.codes(body=text) == ["CONTENT_BLOCKED"]) == blocked
        assert blocked == (policy != {"content": {"allow": ["shaft.alcohol"]}})


def test_a_first_contact_needs_the_sender_and_the_way_out(account: Account) -> None:
    account.policy(names=["Rusty Anchor"])
    rules = {
        finding["rule"] for finding in scan(account, "Your table is ready.", first_contact=True)["findings"]
    }
    assert rules == {"identity.missing", "optout.missing"}
    complete = "Rusty Anchor: your table is ready. Reply STOP to opt out."
    assert scan(account, complete, first_contact=True)["findings"] == []


def test_a_text_that_cannot_be_one(account: Account) -> None:
    for body, status in (({}, 422), ({"body": ""}, 422), ({"body": "x" * 1601}, 422), ({"body": 5}, 400)):
        assert "body" in reasons(account.send("POST", "/v1/content/scan", body), status)
