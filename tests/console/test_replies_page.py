"""What people wrote back is on a page: what it was taken for, what was done, and what a text would be taken for."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Looker
from tests.console.person import signed_in, words
from tests.contract.dialler import Dialler, new_account

NUMBER, OURS = "+14155550188", "+12125550100"


def wrote(dialler: Dialler, body: str, number: str = NUMBER) -> None:
    answer = dialler.post("/v1/inbound-messages", {"from": number, "to": OURS, "body": body})
    assert answer.status == 200, answer.body


def test_each_reply_says_what_was_understood_and_what_was_done(dialler: Dialler) -> None:
    for body in ("HELP", "STOP", "please stop texting me", "START", "See you at five"):
        wrote(dialler, body)
    person = signed_in(dialler.service, dialler.key)
    page = person.reads("/console/replies")
    rows = re.findall(r"“([^”]+)” (.*?)(?= [A-Z][a-z]{2} \d+ [A-Z]| 4 messages)", page)
    assert [said for said, _ in rows] == ["START", "please stop texting me", "STOP", "HELP"]
    told = dict(rows)
    assert "asked to be back by the word START their own opt-out lifted" in told["START"]
    assert "asked to be left alone had opted out before; it stands" in told["please stop texting me"]
    assert "asked to be left alone by the word STOP suppressed for calls and texts" in told["STOP"]
    assert "asked for help by the word HELP answered; nothing changed" in told["HELP"]
    assert "4 messages on this page" in page
    items = dialler.get("/v1/inbound-messages").json()["items"]
    assert [len(each["suppression_ids"]) for each in items] == [0, 0, 1, 0]


def test_replies_are_found_by_number_kind_and_day_and_the_filters_stand_in_the_address(
    dialler: Dialler,
) -> None:
    wrote(dialler, "STOP")
    wrote(dialler, "HELP", "+14155550199")
    person = signed_in(dialler.service, dialler.key)
    page = person.reads("/console/replies?from=415.555.0188&since=2026-01-01")
    assert "1 message on this page" in page
    assert "from (415) 555-0188 ✕ since 2026-01-01 ✕" in page
    assert "1 message on this page" in person.reads("/console/replies?action=help")
    assert "No message passes these filters" in person.reads("/console/replies?until=2020-01-01")
    for query, said in (("from=x", "That is no phone number"), ("since=tomorrow", "Write the day as")):
        answer = person.get(f"/console/replies?{query}")
        assert answer.status == 422
        assert said in words(answer)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1969-12-31"])
def test_the_ends_of_the_calendar_are_told_as_days_that_do_not_do(dialler: Dialler, day: str) -> None:
    person = signed_in(dialler.service, dialler.key)
    person.cookies["callgate_zone"] = "Asia/Tokyo"
    assert person.get(f"/console/replies?since={day}&until={day}").status == 422


def test_many_replies_are_paged_by_links(dialler: Dialler) -> None:
    for each in range(103):
        wrote(dialler, "HELP", f"+1415555{each:04d}")
    person = signed_in(dialler.service, dialler.key)
    first = person.get("/console/replies?action=help").body.decode()
    more = re.search(r'href="(\?[^"]+)" rel="next"', first)
    assert more
    rest = person.reads("/console/replies" + more[1].replace("&amp;", "&"))
    assert "3 messages on this page" in rest
    assert "asked for help ✕" in rest


def test_a_text_is_tried_without_anything_being_done(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    assert "asked to be left alone , by the word STOP" in words(
        person.post("/console/replies", words="Stop!")
    )
    assert "taken for nothing" in words(person.post("/console/replies", words="See you at five"))
    assert person.post("/console/replies", words=" ").status == 422
    assert "<i>x" not in person.post("/console/replies", words="<i>x").body.decode()
    assert dialler.get("/v1/inbound-messages").json()["items"] == []


def test_nobody_sees_another_account_s_replies_nor_any_without_the_scope(dialler: Dialler) -> None:
    wrote(dialler, "STOP")
    other = new_account(dialler.service)
    page = signed_in(other.service, other.key).reads("/console/replies?from=%2B14155550188")
    assert "No message passes these filters" in page
    inbound = signed_in(dialler.service, dialler.with_key("inbound:write").key)
    assert inbound.get("/console/replies").status == 403
    assert inbound.post("/console/replies", words="STOP").status == 403


async def test_the_page_is_sound_and_what_is_on_it_is_text(dialler: Dialler, looker: Looker) -> None:
    wrote(dialler, "STOP <b>now</b>")
    wrote(dialler, "STOP")
    await looker.sign_in(dialler.key)
    page = await looker.open("/console/replies")
    await looker.looks_sound()
    await page.get_by_label("If somebody wrote").fill("quit")
    await page.get_by_role("button", name="What would it be taken for?").press("Enter")
    await page.get_by_text("by the word QUIT").wait_for()
    await looker.looks_sound()
