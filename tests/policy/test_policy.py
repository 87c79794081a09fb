"""GET and PUT /v1/policy, and what a policy changes in decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.contract.dialler import Dialler, sms
from tests.policy.account import FRANCISCO, MORNING, TUESDAY, Account, reasons
from tests.servers import Servers, run_apart
from tests.service import RunningService


def cap(counts: list[str], *results: str) -> dict[str, Any]:
    return {"max": 1, "period": "P7D", "counts": counts, "results": sorted(results)}


DEFAULTS = {
    "house_window": {"start": "09:00", "end": "21:00"},
    "caps": [],
    "content": {
        "allow": [],
        "block_phrases": [],
        "allow_phrases": [],
        "severities": {},
        "phone_numbers": True,
        "snowshoe": {"action": "warn", "senders": 10, "numbers": 100_000, "window": "PT1H"},
    },
    "unknown_location": "block",
    "informational_windows": "all",
    "trust_recipient": False,
    "names": [],
    "domains": [],
    "phones": [],
}


def test_the_account_s_own_numbers_are_put_read_and_used(account: Account) -> None:
    body = "Acme Bank: a card was charged $80 for a purchase. Not you? Call 206-555-0188"
    assert account.send("POST", "/v1/content/scan", {"body": body}).json()["blocked"] is True
    put = account.send("PUT", "/v1/policy", {"phones": ["+12065550188", "72345"]})
    assert (put.status, put.json()["phones"]) == (200, ["+12065550188", "72345"])
    assert account.get("/v1/policy").json()["phones"] == ["+12065550188", "72345"]
    assert account.get("/v1/policy/versions").json()["items"][0]["policy"]["phones"] == [
        "+12065550188",
        "72345",
    ]
    assert account.send("POST", "/v1/content/scan", {"body": body}).json()["blocked"] is False


def test_a_new_account_has_the_defaults_of_the_contract(account: Account) -> None:
    policy = account.get("/v1/policy").json()
    assert {name: policy[name] for name in DEFAULTS} == DEFAULTS
    assert policy["version"] == 0
    assert policy["inbound"] == {
        "opt_out_reply": None,
        "opt_in_reply": None,
        "help_reply": None,
        "has_webhook_secret": False,
    }


def test_what_is_read_can_be_put_back_and_what_is_changed_in_it_counts(account: Account) -> None:
    before = account.policy(
        caps=[{"max": 3, "period": "P7D", "counts": ["call", "sms"]}], names=["Acme Dental"]
    )
    assert account.policy(**account.get("/v1/policy").json()) == before
    after = account.policy(**{**account.get("/v1/policy").json(), "trust_recipient": True})
    assert after == {**before, "trust_recipient": True, "version": before["version"] + 1}


def test_a_member_that_is_left_out_gets_its_default_again(account: Account) -> None:
    account.policy(names=["Acme"], content={"phone_numbers": False}, unknown_location="strictest")
    policy = account.policy(names=["Acme"])
    assert {name: policy[name] for name in DEFAULTS} == {**DEFAULTS, "names": ["Acme"]}
    assert policy["version"] == 2


def test_a_change_on_an_older_version_conflicts(account: Account) -> None:
    account.policy(version=0)
    answer = account.put("/v1/policy", {"version": 0, "names": ["Late"]})
    assert (answer.status, answer.json()["version"]) == (409, 1)
    assert account.get("/v1/policy").json()["names"] == []


def test_every_key_reads_and_only_admin_writes(account: Account) -> None:
    dialler = account.with_scopes("intents:write")
    assert dialler.get("/v1/policy").status == 200
    refused = dialler.put("/v1/policy", {})
    assert (refused.status, refused.json()["scope"]) == (403, "admin")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"house_window": {"start": "9:00"}}, 400, "house_window.start"),
        ({"house_window": {"end": "24:01"}}, 400, "house_window.end"),
        ({"house_window": {"end": "25:00"}}, 400, "house_window.end"),
        ({"house_window": {"start": "21:00", "end": "09:00"}}, 422, "house_window"),
        ({"house_window": {"start": "22:00"}}, 422, "house_window"),
        ({"house_window": {"from": "10:00"}}, 422, "house_window.from"),
        ({"caps": [{"max": 0, "period": "PT24H"}]}, 422, "caps.0.max"),
        ({"caps": [{"max": 101, "period": "PT24H"}]}, 422, "caps.0.max"),
        ({"caps": [{"max": 3}]}, 422, "caps.0.period"),
        ({"caps": [{"max": 3, "period": "a day"}]}, 400, "caps.0.period"),
        ({"caps": [{"max": 3, "period": "P1M"}]}, 400, "caps.0.period"),
        ({"caps": [{"max": 3, "period": "P32D"}]}, 422, "caps.0.period"),
        ({"caps": [{"max": 3, "period": "PT0S"}]}, 422, "caps.0.period"),
        ({"caps": [{"max": 3, "period": "P1D", "counts": []}]}, 422, "caps.0.counts"),
        ({"caps": [{"max": 3, "period": "P1D", "counts": ["fax"]}]}, 422, "caps.0.counts.0"),
        ({"caps": [{"max": 3, "period": "P1D"}] * 11}, 422, "caps"),
        ({"caps": [cap(["sms"], "answered", "no_answer")]}, 422, "caps.0.results"),
        ({"caps": [cap(["call"], "answered"), cap(["call"], "delivered")]}, 422, "caps.1.results"),
        ({"content": {"allow": ["shaft.beer"]}}, 422, "content.allow"),
        ({"content": {"allow": ["shaft.tobacco"]}}, 422, "content.allow"),
        ({"content": {"severities": {"phish.account": "off"}}}, 422, "content.severities.phish.account"),
        ({"content": {"severities": {"sensitive.card": "warn"}}}, 422, "content.severities.sensitive.card"),
        ({"content": {"severities": {"nothing.here": "block"}}}, 422, "content.severities.nothing.here"),
        ({"content": {"severities": {"gambling": "perhaps"}}}, 422, "content.severities.gambling"),
        ({"content": {"block_phrases": ["..."]}}, 422, "content.block_phrases.0"),
        ({"content": {"allow_phrases": [""]}}, 422, "content.allow_phrases.0"),
        ({"unknown_location": "guess"}, 422, "unknown_location"),
        ({"names": ["\u200b"]}, 422, "names.0"),
        ({"domains": ["https://acme.com/x"]}, 422, "domains.0"),
        ({"domains": ["co.uk"]}, 422, "domains.0"),
        ({"domains": ["acme.com", "github.io"]}, 422, "domains.1"),
        ({"domains": ["MyShopify.com"]}, 422, "domains.0"),
        ({"phones": ["206-555-0188"]}, 422, "phones.0"),
        ({"phones": ["+1206555018812345"]}, 422, "phones.0"),
        ({"trust_recipient": "yes"}, 400, "trust_recipient"),
        ({"inbound": {"webhook_secret": "short"}}, 422, "inbound.webhook_secret"),
        ({"hous_window": {}}, 422, "hous_window"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_changes(
    account: Account, body: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(account.put("/v1/policy", body), status)
    assert account.get("/v1/policy").json()["version"] == 0


def test_a_cap_of_results_that_one_of_its_types_can_have_is_taken(account: Account) -> None:
    caps = [
        cap(["call"], "answered"),
        cap(["sms"], "delivered"),
        cap(["call"], "failed"),
        cap(["sms"], "failed"),
        cap(["call", "sms"], "answered"),
        cap(["call", "sms"], "answered", "delivered"),
    ]
    assert account.policy(caps=caps)["caps"] == caps


def test_a_cap_that_cannot_bind_of_an_earlier_release_is_read_and_hurts_nothing(
    account: Account, servers: Servers, gate_database: str
) -> None:
    account.policy(caps=[cap(["sms"], "delivered")])
    stale = """UPDATE accounts SET policy = jsonb_set(policy, '{caps,0,results}', '["answered"]')
                WHERE id = $1"""

    async def as_before() -> None:
        url = servers.database_url(gate_database)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        done = await connection.execute(stale, account.get("/v1/whoami").json()["account"]["id"])
        await connection.close()
        assert done == "UPDATE 1"

    run_apart(as_before())
    document = account.get("/v1/policy").json()
    assert document["caps"] == [cap(["sms"], "answered")]
    assert account.codes(body="Your table is ready at 7 pm. Acme Dental") == []
    assert reasons(account.put("/v1/policy", document), 422).keys() == {"caps.0.results"}
    assert account.policy(caps=[])["caps"] == []


def test_a_name_of_one_s_own_under_a_host_of_everybody_s_pages_is_a_domain(account: Account) -> None:
    account.policy(
        content={"severities": {"link.offbrand": "block"}}, domains=["acme.github.io", "shop.acme.co.uk"]
    )
    assert account.get("/v1/policy").json()["domains"] == ["acme.github.io", "shop.acme.co.uk"]


def test_the_house_window_narrows_and_never_widens(account: Account) -> None:
    """47 CFR 64.1200(c)(1): the law's own window is 08:00 to 21:00 on the local clock."""
    assert account.codes() == []
    account.policy(house_window={"start": "11:00", "end": "12:00"})
    assert account.codes() == ["TCPA_BLOCKED"]
    assert account.codes(at=f"{TUESDAY}T19:30:00Z") == []
    account.policy(house_window={"start": "00:00", "end": "24:00"})
    late = account.preview(at=MORNING.replace("T18", "T15"))  # 07:00
    assert [violation["code"] for violation in late["violations"]] == ["TCPA_BLOCKED"]
    assert account.codes(at=f"{TUESDAY}T16:30:00Z") == [], (
        "08:30 is inside the law's window, and the house's now"
    )


def test_phrases_names_domains_and_severities_hold_from_the_next_text_on(account: Account) -> None:
    text = "Acme: your order is at https://acme.com/o/1 - rate us!"
    assert account.codes(body=text) == []
    account.policy(content={"block_phrases": ["rate us"]})
    assert account.codes(body=text) == ["CONTENT_BLOCKED"]
    assert account.codes(body=text.replace("rate us", "r\u0430te us")) == ["CONTENT_BLOCKED"], (
        "folded like any text"
    )
    account.policy(content={"severities": {"link.offbrand": "block"}}, domains=["acme.org"])
    assert account.codes(body=text) == ["CONTENT_BLOCKED"]
    account.policy(content={"severities": {"link.offbrand": "block"}}, domains=["ACME.com"])
    assert account.codes(body=text) == []


def test_an_age_gated_category_is_allowed_only_by_policy(account: Account) -> None:
    text = "Happy hour tonight: two for one craft beer and cocktails at the Rusty Anchor."
    assert account.codes(body=text) == ["CONTENT_BLOCKED"]
    account.policy(content={"allow": ["shaft.alcohol"]})
    assert account.codes(body=text) == []


def test_the_policy_is_in_force_in_a_second_process_before_its_response_is_read(
    start_service: Callable[..., RunningService],
) -> None:
    first = start_service()
    here, there = Account(first, first.key), Account(start_service(bootstrap_key=first.key), first.key)
    for end in ("12:00", "10:00") * 10:
        here.policy(house_window={"start": "09:00", "end": end})
        assert there.codes() == ([] if end == "12:00" else ["TCPA_BLOCKED"])


def test_an_account_s_policy_is_its_own(account: Account, operator: Account) -> None:
    before = operator.get("/v1/policy").json()
    account.policy(house_window={"start": "11:00", "end": "12:00"})
    assert operator.codes() == []
    assert operator.get("/v1/policy").json() == before


def test_informational_windows_of_the_law_lift_what_is_about_solicitation_only(account: Account) -> None:
    """47 CFR 64.1200(c)(1) binds telephone solicitations; 07:30 is outside of it, and of no other rule there."""
    early = f"{TUESDAY}T15:30:00Z"
    wide = {"start": "00:00", "end": "24:00"}
    account.policy(house_window=wide)
    assert account.codes(to=FRANCISCO, at=early, purpose="informational") == ["TCPA_BLOCKED"]
    account.policy(house_window=wide, informational_windows="law")
    assert account.codes(to=FRANCISCO, at=early, purpose="informational") == []
    assert account.codes(to=FRANCISCO, at=early, purpose="marketing") == ["TCPA_BLOCKED"]


def test_an_unknown_place_is_blocked_or_held_to_the_strictest(account: Account) -> None:
    toll_free = "+18005551234"
    assert account.codes(to=toll_free) == ["TCPA_BLOCKED"]
    account.policy(unknown_location="strictest")
    everywhere = account.preview(to=toll_free, at=f"{TUESDAY}T20:30:00Z")
    zones = next(c for c in everywhere["checks"] if c["guardrail"] == "calling_window")["timezones"]
    assert {"America/New_York", "Pacific/Honolulu"} <= set(zones)


def test_a_trusted_address_stands_alone_only_by_policy(account: Account) -> None:
    """A number of Hawaii, where it is 07:30, and an address in San Francisco, where it is 09:30."""
    at = f"{TUESDAY}T17:30:00Z"
    address = {"postal_code": "94103"}
    assert account.codes(to="+18085551234", at=at, recipient=address) == ["TCPA_BLOCKED"]
    account.policy(trust_recipient=True)
    trusted = account.preview(to="+18085551234", at=at, recipient=address)
    assert trusted["verdict"] == "approved"
    assert (
        next(c for c in trusted["checks"] if c["guardrail"] == "calling_window")["trusted_recipient"] is True
    )


def test_every_version_can_be_looked_up_and_a_decision_names_its_own(account: Account) -> None:
    account.policy(names=["First"], inbound={"webhook_secret": "0123456789abcdef"})
    account.policy(house_window={"start": "00:00", "end": "24:00"}, names=["Second"])
    body = {"type": "call", "to": "+18005551234", "from": "+12125550100"}
    decided = account.send("POST", "/v1/intents", body).json()["intent_id"]
    assert account.get(f"/v1/intents/{decided}").json()["versions"]["policy"] == "2"
    newest = account.get("/v1/policy/versions?limit=1").json()
    oldest = account.get(f"/v1/policy/versions?limit=1&cursor={newest['next_cursor']}").json()
    assert [
        (item["version"], item["policy"]["names"]) for page in (newest, oldest) for item in page["items"]
    ] == [
        (2, ["Second"]),
        (1, ["First"]),
    ]
    assert oldest["next_cursor"] is None
    assert newest["items"][0]["changed_by"]
    replies = {"opt_out_reply": None, "opt_in_reply": None, "help_reply": "Call us"}
    account.policy(inbound={"help_reply": "Call us", "webhook_secret": None})
    versions = account.get("/v1/policy/versions").json()["items"]
    assert versions[0]["policy"]["inbound"] == {**replies, "has_webhook_secret": False}
    assert versions[1]["policy"]["inbound"]["has_webhook_secret"] is True
    assert "0123456789abcdef" not in str(versions)
    assert account.get("/v1/policy/versions?cursor=eA").status == 400


def test_a_cap_of_the_account_counts_what_it_says_and_nothing_else(account: Account) -> None:
    dialler = Dialler(account.service, account.key)
    number = dialler.open_number()
    account.policy(caps=[{"max": 2, "period": "P7D", "counts": ["call"]}])
    assert [dialler.call(to=number).status for _ in range(2)] == [201, 201]
    refused = dialler.call(to=number)
    assert (refused.status, refused.json()["code"]) == (403, "FREQUENCY_CAPPED")
    assert refused.json()["violations"][0]["period"] == "P7D"
    assert dialler.post("/v1/intents", sms(number)).status == 201, "texts are not counted"
    account.policy(caps=[{"max": 3, "period": "P7D", "counts": ["call", "sms"]}])
    assert dialler.call(to=number).status == 403, "what went before a cap counts under it"
    account.policy()
    assert dialler.call(to=number).status == 201


def test_the_same_policy_again_makes_no_new_version_and_each_version_says_why(account: Account) -> None:
    first = account.put("/v1/policy", {"names": ["Acme"], "comment": "the new name"}).json()
    again = account.put("/v1/policy", {"names": ["Acme"], "comment": "once more"}).json()
    assert again == first
    second = account.put("/v1/policy", {"names": ["Acme"], "inbound": {"help_reply": "Call us."}}).json()
    assert second["version"] == first["version"] + 1
    kept = account.get("/v1/policy/versions").json()["items"]
    assert [(each["version"], each["comment"]) for each in kept[:2]] == [
        (second["version"], ""),
        (first["version"], "the new name"),
    ]
    assert account.put("/v1/policy", {"comment": "x" * 501}).status == 422
