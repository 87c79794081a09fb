"""A number's sheet: found in any spelling, what binds it and since when, its week of hours, and what can be done."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.calling_window.forecast import WindowForecast, ZoneOutlook
from app.console.pages.calling.number_timeline import standing, timeline
from app.console.typed import read_search
from tests.console.conftest import Looker
from tests.console.person import signed_in, words
from tests.contract.dialler import Dialler, call, new_account

NUMBER = "+14155550188"
NOTHING = "Type a number as you would dial it, a decision’s id, or a number’s last four digits."
SHEET = f"/console/numbers/{NUMBER}"


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("+1 (415) 555-0188", "number", NUMBER),
        ("415-555-0188", "number", NUMBER),
        ("14155550188", "number", NUMBER),
        ("tel:+14155550188", "number", NUMBER),
        ("+44 20 7946 0958", "number", "+442079460958"),
        ("0188", "last digits", "0188"),
        ("…0188", "last digits", "0188"),
        ("0198B2C4-0000-7000-8000-000000000000", "id", "0198b2c4-0000-7000-8000-000000000000"),
        ("Miss Brown", "nothing", NOTHING),
    ],
)  # fmt: skip
def test_the_search_takes_what_people_have(typed: str, kind: str, value: str) -> None:
    found = read_search(typed)
    assert (found.kind, found.value) == (kind, value)


def test_the_search_leads_to_the_sheet_and_the_last_digits_to_their_numbers(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    assert person.get("/console/find?q=%28415%29+555-0188").headers["location"] == SHEET
    assert person.get("/console/find?q=0188").headers["location"] == "/console/numbers?ending=0188"
    assert "No decision of the last 31 days" in person.reads("/console/numbers?ending=0188")
    dialler.post("/v1/intents", call(NUMBER))
    assert person.get("/console/numbers?ending=0188").headers["location"] == SHEET
    dialler.post("/v1/intents", call("+12125550188"))
    assert "2 numbers ending in 0188" in person.reads("/console/numbers?ending=0188")
    assert person.get("/console/find?q=Miss+Brown").status == 404


def test_a_number_is_put_on_the_list_and_taken_off_with_a_reason_each(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    assert "On none" in person.reads(SHEET)
    answer = person.post(
        SHEET + "/suppress", suppress_channel="call", suppress_reason="", suppress_until="soon"
    )
    assert answer.status == 422
    assert "Say why" in words(answer)
    assert "Write the day as 2026-03-31" in words(answer)
    answer = person.post(SHEET + "/suppress", suppress_channel="call", suppress_reason="told the agent so")
    assert (answer.status, answer.headers["location"]) == (303, SHEET)
    page = person.reads(SHEET)
    assert "(415) 555-0188 is on the list now: no calls." in page
    assert "told the agent so" in page
    assert "is on the list now" not in person.reads(SHEET), "it is said once"
    assert dialler.get(f"/v1/suppressions/{NUMBER}").json()["entries"][0]["channel"] == "call"
    assert person.post(SHEET + "/remove", remove_channel="sms", remove_reason="a mistake").status == 422
    assert person.post(SHEET + "/remove", remove_channel="", remove_reason="a mistake").status == 303
    assert dialler.get(f"/v1/suppressions/{NUMBER}").status == 404
    assert "removed for calls, “a mistake”" in person.reads(SHEET)


def test_the_persons_own_wish_stays_for_whoever_is_no_admin(dialler: Dialler) -> None:
    dialler.post("/v1/inbound-messages", {"from": NUMBER, "to": "+12125550100", "body": "STOP"})
    clerk = dialler.with_key("intents:read", "suppressions:read", "suppressions:write")
    person = signed_in(dialler.service, clerk.key)
    assert "The person asked not to be contacted" in person.reads(SHEET)
    answer = person.post(SHEET + "/remove", remove_channel="", remove_reason="our boss wants it")
    assert answer.status == 422
    assert "Only their own opt-in ends that" in words(answer)


def test_a_consent_is_put_on_record_and_ended(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    form = {
        "consent_kind": "express_written",
        "consent_channels": ["call", "sms"],
        "consent_given": "2026-03-31",
    }
    answer = person.post(SHEET + "/consent", **form, consent_evidence="")
    assert answer.status == 422
    assert "Say how it can be shown" in words(answer)
    assert b'value="2026-03-31"' in answer.body
    assert person.post(SHEET + "/consent", **form, consent_evidence="the form").status == 303
    assert dialler.get(f"/v1/consents/{NUMBER}").json()["given_at"] == "2026-03-31T00:00:00Z"
    assert "calls and texts" in person.reads(SHEET)
    assert person.post(SHEET + "/consent/end").status == 303
    assert dialler.get(f"/v1/consents/{NUMBER}").status == 404


def test_a_session_sees_and_does_what_its_key_may(dialler: Dialler) -> None:
    dialler.put(f"/v1/suppressions/{NUMBER}", {"reason": "a secret of the list"})
    reader = signed_in(dialler.service, dialler.with_key("intents:read").key)
    page = reader.reads(SHEET)
    assert "a secret of the list" not in page
    assert "Consents" not in page
    for action in ("suppress", "remove", "consent", "consent/end"):
        answer = reader.post(f"{SHEET}/{action}", suppress_reason="x", remove_reason="x")
        assert answer.status == 403, action
        assert "Ask somebody of your account" in words(answer)
    stranger = signed_in(dialler.service, new_account(dialler.service).key)
    assert "a secret of the list" not in stranger.reads(SHEET)
    assert dialler.get(f"/v1/suppressions/{NUMBER}").status == 200


def test_a_number_of_no_place_says_what_would_help(dialler: Dialler) -> None:
    assert "Never open" in signed_in(dialler.service, dialler.key).reads("/console/numbers/+18005550199")


def test_the_week_is_drawn_on_each_clock_with_what_closes_it() -> None:
    start = int(datetime(2026, 11, 24, 20, tzinfo=UTC).timestamp())  # noon in Los Angeles
    hours = tuple((start + day * 86400 - 3 * 3600, start + day * 86400 + 9 * 3600) for day in range(8))
    opened = ((start, hours[0][1]), *hours[1:])
    forecast = WindowForecast(
        NUMBER, "call", "marketing", start, start + 8 * 86400, opened,
        (ZoneOutlook("America/Los_Angeles", ("area code",), ("US-CA",), opened),), (), (),
    )  # fmt: skip
    assert standing(forecast, start) == "Open now, until 21:00 in Los Angeles"
    assert standing(forecast, start + 10 * 3600) == "Closed now, opens Wed 25 Nov at 09:00 in Los Angeles"
    drawn = timeline(forecast, start)
    assert [day.clocks[0].open for day in drawn.days] == ["12:00–21:00", *["09:00–21:00"] * 6]
    assert drawn.days[0].clocks[0].now_x == drawn.hours[4][1]
    assert [bar.kind for bar in drawn.days[1].clocks[0].bars] == ["closed", "own", "closed", "open"]


async def test_a_person_explains_a_number_and_suppresses_it_in_a_browser(
    looker: Looker, dialler: Dialler
) -> None:
    page = await looker.sign_in(dialler.key)
    await page.keyboard.press("/")
    await page.keyboard.type("(415) 555-0188\n")
    await page.get_by_role("heading", name="(415) 555-0188").wait_for()
    await page.get_by_text("Put it on your list").click()
    await page.get_by_label("Why").fill("told the agent so")
    await looker.looks_sound()
    await page.get_by_role("button", name="Put it on the list").click()
    await page.get_by_role("status").get_by_text("is on the list now").wait_for()
    await looker.looks_sound()
    await page.get_by_label("Voice").select_option("prerecorded")
    await page.wait_for_url("**voice=prerecorded**")
