"""Decisions are found as a person looks for them, and each says why in people's words, with the law behind it."""

from __future__ import annotations

import re

from tests.console.conftest import Looker
from tests.console.person import signed_in, words
from tests.contract.dialler import Dialler, call, new_account, sms

TOLL_FREE = "+18005550199"


def refused(dialler: Dialler, number: str = "+14155550188") -> str:
    """The id of a decision that was refused since the number is on the account's list."""
    dialler.put(f"/v1/suppressions/{number}", {"reason": "asked us at the counter"})
    return str(dialler.post("/v1/intents", call(number)).json()["intent_id"])


def test_a_refusal_says_why_with_list_reason_and_remedy(dialler: Dialler) -> None:
    decision = refused(dialler)
    page = signed_in(dialler.service, dialler.key).reads(f"/console/decisions/{decision}")
    assert "A call that was refused: (415) 555-0188" in page
    assert "on a list of people who must not be contacted" in page
    assert "asked us at the counter" in page
    assert "What to do: Take it out of the campaign." in page
    assert "DNC_BLOCKED" in page


def test_a_refusal_by_law_shows_the_citation_and_the_words_of_the_law(dialler: Dialler) -> None:
    made = dialler.post("/v1/intents", call("+12125550188", voice_type="prerecorded")).json()
    page = signed_in(dialler.service, dialler.key).reads(f"/console/decisions/{made['intent_id']}")
    assert "47 CFR 64.1200(a)(2)" in page
    assert "Would do: express written" in page
    assert "The rules and tables that it was decided with" in page


def test_filters_are_typed_as_people_do_and_stand_in_the_address_as_programs_do(dialler: Dialler) -> None:
    refused(dialler)
    dialler.post("/v1/intents", sms("+442079460188", body="Your table is ready.", campaign="spring"))
    person = signed_in(dialler.service, dialler.key)
    answer = person.get(
        "/console/decisions?to=(415)+555-0188&verdict=blocked&code=&campaign=&since=2026-01-01"
    )
    assert answer.status == 303
    there = answer.headers["location"]
    assert there == "/console/decisions?to=%2B14155550188&verdict=blocked&since=2026-01-01T00%3A00%3A00Z"
    page = person.reads(there)
    assert "to (415) 555-0188" in page
    assert "+44" not in page
    assert "1 decision on this page" in page
    assert "No decision passes these filters" in person.reads("/console/decisions?campaign=autumn")
    answer = person.get("/console/find?q=0188")
    assert answer.headers["location"].startswith("/console/")


def test_a_filter_that_cannot_be_read_is_told_beside_its_field_and_keeps_what_was_typed(
    dialler: Dialler,
) -> None:
    answer = signed_in(dialler.service, dialler.key).get("/console/decisions?to=Miss+Brown&campaign=spring")
    assert answer.status == 400
    assert b'value="Miss Brown"' in answer.body
    assert b'value="spring"' in answer.body
    assert "as (415) 555-0188" in words(answer)


def test_older_ones_follow_by_cursor_and_all_are_exported(dialler: Dialler) -> None:
    dialler.put("/v1/suppressions/+14155550188", {"reason": "no"})
    body = {"intents": [call("+14155550188") for _ in range(60)]}
    assert dialler.post("/v1/intents/batch", body).status == 200
    person = signed_in(dialler.service, dialler.key)
    first = person.get("/console/decisions?verdict=blocked")
    older = re.search(r'href="(/console/decisions\?[^"]*cursor=[^"]+)"', first.body.decode())
    assert older
    assert "10 decisions on this page, and none before them" in person.reads(older[1].replace("&amp;", "&"))
    exported = person.get("/console/decisions/export?format=csv&verdict=blocked")
    assert exported.status == 200
    assert exported.body.count(b"\n") == 61


def test_nothing_of_another_account_is_there(dialler: Dialler) -> None:
    decision = refused(dialler)
    stranger = signed_in(dialler.service, new_account(dialler.service).key)
    assert "will stand here" in stranger.reads("/console/decisions")
    answer = stranger.get(f"/console/decisions/{decision}")
    assert answer.status == 404
    assert "555-0188" not in words(answer)
    assert b"DNC" not in stranger.get("/console/decisions/export?format=csv").body


async def test_a_person_finds_a_refusal_and_opens_it_in_place(looker: Looker, dialler: Dialler) -> None:
    decision = refused(dialler)
    page = await looker.sign_in(dialler.key)
    await page.goto(looker.service.base_url + "/console/decisions?verdict=blocked")
    await looker.looks_sound()
    await page.get_by_role("link", name="PST").or_(page.get_by_role("link", name="PDT")).first.click()
    opened = page.locator("tr.opened")
    await opened.get_by_text("asked us at the counter").wait_for()
    assert await looker.violations() == []
    await opened.get_by_role("link", name=decision).click()
    await page.get_by_role("heading", name="A call that was refused").wait_for()
    await looker.looks_sound()
