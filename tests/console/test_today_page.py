"""The morning's page: what was decided, beside the day before, and what needs somebody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from app.console.pages.calling.decision_counts import Counts, totals
from app.console.pages.calling.today_chart import chart
from tests.console.conftest import Looker
from tests.console.person import signed_in, words
from tests.contract.dialler import Dialler, call, new_account

HOURS = [
    Counts(datetime(2026, 3, 31, hour, tzinfo=UTC), {"": 60, "DNC_BLOCKED": 30, "TCPA_BLOCKED": 10})
    for hour in range(24)
]


def decide(dialler: Dialler) -> None:
    """Three refusals for the list, and one for hours that no place has open."""
    dialler.put("/v1/suppressions/+14155550188", {"reason": "no"})
    dialler.post("/v1/intents/batch", {"intents": [call("+14155550188")] * 3 + [call("+18005550199")]})


def test_a_bar_is_stacked_by_reason_on_the_viewers_clock_with_the_day_before_as_a_line() -> None:
    drawn = chart(
        HOURS, [Counts(each.begins - timedelta(days=1), {"": 50}) for each in HOURS], "hour", "Asia/Kolkata"
    )
    assert [part.colour for part in drawn.columns[0].parts] == ["approved", "window", "suppression"]
    assert drawn.columns[0].parts[0].told == "Tue 05:30: 60 approved"
    assert sum(part.height for part in drawn.columns[0].parts) == 200, (
        "the highest bar is as high as the picture"
    )
    assert len(drawn.before.split()) == 24
    assert [value for _, value in drawn.grid] == [0, 50, 100]
    assert totals(HOURS)["DNC_BLOCKED"] == 720


def test_an_account_without_decisions_is_led_to_its_first_in_four_steps(dialler: Dialler) -> None:
    page = signed_in(dialler.service, dialler.key).reads("/console/today")
    assert "No decisions in the last 24 hours" in page
    assert "From nothing to a first decision" in page
    assert (
        page.index("Bring your list")
        < page.index("Set your policy")
        < page.index("See whether a first call would pass")
    )


def test_the_figures_are_the_accounts_own_and_lead_to_the_rows(dialler: Dialler) -> None:
    decide(dialler)
    dialler.post("/v1/inbound-messages", {"from": "+14155550123", "to": "+12125550100", "body": "STOP"})
    person = signed_in(dialler.service, dialler.key)
    page = person.reads("/console/today")
    assert "4 decisions in the last 24 hours, 0% approved" in page
    assert "1 person asked not to be contacted in the last 24 hours" in page
    body = person.get("/console/today").body.decode()
    rows = body.split('href="/console/decisions?code=DNC_BLOCKED')[1].split('"')[0].replace("&amp;", "&")
    assert "3 decisions on this page" in person.reads("/console/decisions?code=DNC_BLOCKED" + rows)
    assert "28 days" in person.reads("/console/today?span=day")
    stranger = signed_in(dialler.service, new_account(dialler.service).key)
    assert "No decisions" in stranger.reads("/console/today")


def test_every_wish_of_the_night_is_counted_however_long_the_list_is(dialler: Dialler) -> None:
    for each in range(203):
        message = {"from": f"+1415555{each:04}", "to": "+12125550100", "body": "STOP"}
        assert dialler.post("/v1/inbound-messages", message).status == 200
    person = signed_in(dialler.service, dialler.key)
    page = person.reads("/console/today")
    assert "203 people asked not to be contacted in the last 24 hours" in page
    assert "the person’s own wish" in person.reads("/console/suppressions?source=opt_out")


def test_an_import_of_the_night_that_failed_needs_somebody(dialler: Dialler) -> None:
    headers = {"Content-Type": "text/csv"}
    dialler.post("/v1/suppressions/imports", b"number\n+14155550188\nnobody\n", headers=headers)
    person = signed_in(dialler.service, dialler.key)
    assert "An import of 2 rows failed and changed nothing" in person.reads("/console/today")
    assert 'href="/console/suppressions/imports"' in person.get("/console/today").body.decode()
    reader = signed_in(dialler.service, dialler.with_key("intents:read").key)
    assert "An import of" not in reader.reads("/console/today")


async def test_a_newcomer_comes_from_nothing_to_a_first_preview(looker: Looker, dialler: Dialler) -> None:
    page = await looker.sign_in(dialler.key)
    steps = page.locator(".empty ol li")
    assert await steps.count() == 4
    hrefs = [await each.locator("a").first.get_attribute("href") for each in await steps.all()]
    assert hrefs == ["/console/suppressions", "/console/policy", "/console/preview", "/console/keys"]
    for href in hrefs:
        await looker.open(href or "")
        await page.get_by_role("heading", level=1).wait_for()
    dialler.put("/v1/suppressions/+14155550188", {"reason": "asked by letter"})
    await looker.open("/console/today")
    await page.get_by_role("link", name="See whether a first call would pass").click()
    await page.get_by_label("To").fill("(415) 555-0188")
    await page.get_by_label("From").fill("212 555 0100")
    await page.get_by_role("button", name="Would it pass?").click()
    await page.get_by_role("heading", name="It would be refused").wait_for()
    await page.get_by_text("DNC_BLOCKED").wait_for()
    await looker.looks_sound()
    assert dialler.get("/v1/intents").json()["items"] == [], "nothing is recorded"


def test_a_preview_says_what_is_wrong_with_what_was_typed_and_needs_its_scope(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    number = dialler.open_number()
    asked = urlencode({"to": number, "from": "212 555 0100"})
    assert "It would pass" in person.reads(f"/console/preview?{asked}")
    answer = person.get("/console/preview?to=nobody&from=212+555+0100")
    assert (answer.status, "That is no phone number" in words(answer)) == (422, True)
    assert person.get(f"/console/preview?{asked}&type=sms").status == 422, "a text has words"
    reader = signed_in(dialler.service, dialler.with_key("intents:read").key)
    assert reader.get(f"/console/preview?{asked}").status == 403
    assert "/console/preview" not in reader.get("/console/today").body.decode()


def test_a_full_pool_and_a_campaign_that_abandons_need_somebody(dialler: Dialler) -> None:
    dialler.pool("trunk", 1)
    approved = dialler.approved(pool="trunk", campaign="spring")
    person = signed_in(dialler.service, dialler.key)
    assert "Pool trunk: 1 of 1 channels are in use" in person.reads("/console/today")
    dialler.post(f"/v1/intents/{approved['id']}/outcome", {"result": "abandoned"})
    page = person.reads("/console/today")
    assert "“spring”: 100.0% of the answered calls of 30 days were abandoned" in page
    reader = signed_in(dialler.service, dialler.with_key("intents:read").key)
    assert "asked not to be contacted" not in reader.reads("/console/today")


def test_the_live_figures_are_one_event_at_a_time_for_whoever_is_signed_in(dialler: Dialler) -> None:
    decide(dialler)
    person = signed_in(dialler.service, dialler.key)
    answer = person.get("/console/today/live")
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = dict(line.split(": ", 1) for line in answer.body.decode().strip().split("\n"))
    assert int(told["retry"]) >= 1000
    assert json.loads(told["data"])["DNC_BLOCKED"] == 3
    person.post("/console/sign-out")
    assert person.get("/console/today/live").status == 303


async def test_a_person_watches_the_figures_change(looker: Looker, dialler: Dialler) -> None:
    decide(dialler)
    page = await looker.sign_in(dialler.key)
    await page.wait_for_url("**/console/today")
    await page.get_by_role("heading", name="4 decisions in the last 24 hours").wait_for()
    await looker.looks_sound()
    dialler.post("/v1/intents", call("+14155550188"))
    await page.locator('[data-live="DNC_BLOCKED"]').get_by_text("4", exact=True).wait_for()
    await page.get_by_text("The picture as a table").click()
    assert await looker.violations() == []
