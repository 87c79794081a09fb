"""GET /v1/law, /v1/law/lists and /law: the rules that hold on a day, as data and as a page."""

from __future__ import annotations

import pytest

from tests.contract.dialler import Dialler


def _by_id(dialler: Dialler, query: str) -> dict[str, dict[str, object]]:
    answer = dialler.get(f"/v1/law?{query}")
    assert answer.status == 200, answer.body
    return {rule["id"]: rule for rule in answer.json()["rules"]}


def test_the_law_of_a_region_is_told_with_its_countrys(dialler: Dialler) -> None:
    rules = _by_id(dialler, "region=US-PA&at=2026-11-24")
    assert {rule["region"] for rule in rules.values()} == {"US", "US-PA"}
    assert all(rule["citation"] and rule["checked"] for rule in rules.values())


def test_a_rule_that_starts_tomorrow_is_seen_by_at(dialler: Dialler) -> None:
    answer = dialler.get("/v1/law?region=US-PA&at=2026-10-17").json()
    (begins,) = [change for change in answer["changes"] if change["what"] == "begins"]
    assert begins["date"] == "2026-10-18"
    before = {rule["id"] for rule in answer["rules"]}
    after = _by_id(dialler, "region=US-PA&at=2026-10-18")
    assert begins["rule"] in after
    assert begins["rule"] not in before
    assert after[begins["rule"]]["hours"]["sunday"] == []  # type: ignore[index]
    assert begins["rule"] not in _by_id(dialler, "region=US-PA&at=2026-10-18T03:59:59Z"), (
        "still 17 October there"
    )


def test_the_channel_leaves_out_what_does_not_bind_it(dialler: Dialler) -> None:
    calls, texts = _by_id(dialler, "channel=call"), _by_id(dialler, "channel=sms")
    assert texts.keys() < calls.keys()
    assert all(rule["binds_texts"] != "no" for rule in texts.values())


def test_a_country_without_a_rule_has_the_cautious_hours_of_the_house(dialler: Dialler) -> None:
    rules = _by_id(dialler, "region=MN")
    assert [rule["house"] for rule in rules.values()] == [True]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("region=US-ZZ", 422),
        ("region=us", 422),
        ("channel=fax", 400),
        ("at=tomorrow", 400),
        ("at=2026-02-30", 400),
    ],
)
def test_a_question_about_no_law_is_refused(dialler: Dialler, query: str, status: int) -> None:
    assert dialler.get(f"/v1/law?{query}").status == status


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31", "1900-01-01T00:00:00Z"])
def test_the_law_is_told_at_either_end_of_the_calendar(dialler: Dialler, at: str) -> None:
    assert dialler.get(f"/v1/law?at={at}").status == 200


def test_the_law_as_data_takes_a_key_and_the_page_none(dialler: Dialler) -> None:
    assert dialler.service.request("GET", "/v1/law").status == 401
    page = dialler.service.request("GET", "/law")
    assert page.status == 200
    assert "script" not in page.body.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "What changes next" in page.body.decode()


def test_the_kept_lists_tell_which_are_loaded(dialler: Dialler) -> None:
    operator = Dialler(dialler.service, dialler.service.key)

    def standing() -> dict[str, str]:
        items = dialler.get("/v1/law/lists").json()["items"]
        assert len(items) == 12, "the national list and the eleven of states"
        return {item["region"]: item["standing"] for item in items}

    assert standing()["US-IN"] == "missing"
    body = {"kind": "state_dnc", "region": "US-IN", "applies_to": ["call"], "purposes": ["marketing"]}
    assert operator.put("/v1/registries/indiana-kept", body).status in (200, 201)
    try:
        assert standing()["US-IN"] == "missing", "made, and never loaded"
    finally:
        operator.delete("/v1/registries/indiana-kept")
