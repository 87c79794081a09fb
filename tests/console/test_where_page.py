"""Where one may call, at an instant: the law's own verdict for each place, on a map and as a list."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from app.console.pages.calling.places_now import countries, grid, states
from app.guardrail.facts import Facts, Intent
from app.intents.services import RuleSet
from tests.console.conftest import Looker
from tests.console.person import signed_in, words
from tests.contract.dialler import Dialler

CALL = Intent(type="call", to="+12025550100", sender="", purpose="marketing")
NOON_OF_CHRISTMAS = datetime(2026, 12, 25, 18, tzinfo=UTC)


def test_the_map_has_every_state_once() -> None:
    cells = [cell for row in grid() for cell in row if cell]
    assert len(cells) == len(set(cells)) == 54
    assert {len(row) for row in grid()} == {11}


def test_a_place_is_open_closing_closed_or_banned_as_the_law_says(rule_set: RuleSet) -> None:
    tiles = states(rule_set, CALL, Facts(), NOON_OF_CHRISTMAS)
    assert tiles["CA"].state == "open"
    assert tiles["CA"].local_times == ("10:00",)
    assert (tiles["LA"].state, "Christmas" in tiles["LA"].why[0]) == ("banned", True)
    assert set(tiles["TN"].local_times) == {"12:00", "13:00"}, "a state with two clocks shows both"
    late = states(rule_set, CALL, Facts(), datetime(2026, 11, 25, 4, 30, tzinfo=UTC))
    assert late["CA"].state == "closing"
    assert late["NY"].state == "closed"
    listed = countries(rule_set, CALL, Facts(), NOON_OF_CHRISTMAS, every=False)
    assert "US" not in {each.code for each in listed}
    closed = [each.changes_at for each in listed if each.state in ("closed", "banned") and each.changes_at]
    assert closed == sorted(closed), "by when they open next"


def test_the_page_follows_the_instant_the_channel_and_the_policy(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    there = "/console/where?at=2026-11-25T18:00:00Z"
    assert "We may call 5" in person.reads(there)
    assert "We may text" in person.reads(there + "&type=sms")
    assert "We may call 1 of 54" in person.reads(there + "&ahead=14"), "it is evening in Guam"
    dialler.put("/v1/policy", {"house_window": {"start": "09:00", "end": "09:01"}})
    assert "We may call 0 of 54" in person.reads(there)
    answer = person.get("/console/where?at=soon")
    assert answer.status == 400
    assert "Write a day and an hour as 2026-12-25 10:00" in words(answer)


@pytest.mark.parametrize("code", ["US-AL", "FR", "KE"])
def test_a_place_tells_its_rules(dialler: Dialler, code: str) -> None:
    page = signed_in(dialler.service, dialler.key).reads(f"/console/where/{code}?at=2026-12-25T18:00:00Z")
    assert "The rules that hold there" in page
    assert re.search(r"Confidence (high|medium|low)", page)


def test_a_place_that_is_none_is_told(dialler: Dialler) -> None:
    assert signed_in(dialler.service, dialler.key).get("/console/where/US-ZZ").status == 404


async def test_a_person_moves_the_slider_and_opens_a_state(looker: Looker, dialler: Dialler) -> None:
    page = await looker.sign_in(dialler.key)
    await page.goto(looker.service.base_url + "/console/where?at=2026-12-25T18:00:00Z")
    await looker.looks_sound()
    await page.get_by_role("slider").focus()
    await page.keyboard.press("ArrowRight")
    await page.wait_for_url("**ahead=1**")
    await page.get_by_role("link", name="Louisiana, banned today").click()
    await page.get_by_role("heading", name="Louisiana", exact=True).wait_for()
    await looker.looks_sound()
