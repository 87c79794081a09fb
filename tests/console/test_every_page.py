"""What holds for every page on the rail, those that are added later included."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.accounts.authenticate import NOT_IMPLIED_BY_ADMIN, SCOPES
from app.console.display import ago, line, lines_written, period
from app.console.rail import RAIL, Line
from app.console.reasons import REASONS, reason_of
from app.guardrail.refusals import PRECEDENCE
from tests.console.conftest import Looker
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler
from tests.service import RunningService

LINES = [each for group in RAIL for each in group]
MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def keys(shared_gate: RunningService) -> dict[str, str]:
    """A key of the first account with each scope alone."""
    operator = Dialler(shared_gate, shared_gate.key)
    return {scope: operator.with_key(scope).key for scope in SCOPES}


@pytest.mark.parametrize("page", LINES, ids=lambda page: page.path)
def test_a_page_opens_for_its_scope_and_for_no_other(
    gate: RunningService, keys: dict[str, str], page: Line
) -> None:
    for scope, key in keys.items():
        person = signed_in(gate, key)
        implied = scope == "admin" and page.scope not in NOT_IMPLIED_BY_ADMIN
        may = implied or page.scope in ("", scope)
        answer = person.get(page.href)
        assert answer.status == (200 if may else 403), scope
        assert (f'href="{page.href}"' in answer.body.decode()) == may, (
            "it is on the rail of whoever may open it"
        )
    assert Person(gate).get(page.href).headers["location"].startswith("/console/sign-in?next=")


@pytest.mark.parametrize("page", LINES, ids=lambda page: page.path)
def test_a_page_is_light_and_has_nothing_inline_and_nothing_from_elsewhere(
    gate: RunningService, page: Line
) -> None:
    answer = signed_in(gate, gate.key).get(page.href)
    text = answer.body.decode()
    assert len(answer.body) < MOST_BYTES
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|javascript:", text)
    for loaded in re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', text):
        assert loaded.startswith("/")
        assert gate.request("GET", loaded).status == 200
    assert text.count("<h1") == 1
    assert text.count("<main") == 1
    forms = re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL)
    assert all(re.search(r'name="csrf"|action="[^"]*[?]csrf=', form) for form in forms)


@pytest.mark.parametrize("page", LINES, ids=lambda page: page.path)
async def test_a_page_is_sound_for_axe_small_and_wide_dark_and_light(
    looker: Looker, gate: RunningService, page: Line
) -> None:
    await looker.sign_in(gate.key)
    await looker.open(page.href)
    await looker.looks_sound()


def test_assets_are_kept_by_address_and_an_old_address_is_not(gate: RunningService) -> None:
    text = Person(gate).get("/console/sign-in").body.decode()
    style = re.search(r'href="(/console/assets/\w+/console\.css)"', text)
    assert style
    assert "immutable" in gate.request("GET", style[1]).headers["cache-control"]
    assert gate.request("GET", "/console/assets/0123/console.css").headers["cache-control"] == "no-store"
    assert gate.request("GET", "/console/assets/0123/../rail.py").status in (303, 404)


def test_what_is_no_page_is_told_as_one_with_the_rail(dialler: Dialler) -> None:
    answer = signed_in(dialler.service, dialler.key).get("/console/no/such/page")
    assert answer.status == 404
    assert "There is nothing here" in words(answer)
    assert b'aria-label="Pages"' in answer.body


def test_what_is_typed_is_never_markup(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    for path in ("/console/find?q=<script>x</script>", "/console/decisions?to=%22><b>", "/console/<b>x</b>"):
        assert b"<b>x" not in person.get(path).body
        assert b"<script>x" not in person.get(path).body
    dialler.put("/v1/suppressions/+14155550188", {"reason": "<img src=x>"})
    assert b"<img" not in person.get("/console/numbers/+14155550188").body


async def test_a_link_from_another_site_finds_its_way_though_the_cookie_is_strict(
    looker: Looker, dialler: Dialler
) -> None:
    page = await looker.sign_in(dialler.key)
    target = looker.service.base_url + "/console/where?type=sms"
    await page.route("http://elsewhere.example/", lambda route: route.fulfill(
        content_type="text/html", body=f'<!doctype html><a href="{target}">the map</a>'
    ))  # fmt: skip
    await page.goto("http://elsewhere.example/")
    await page.get_by_role("link", name="the map").click()
    await page.get_by_role("heading", name="We may text").wait_for()


def test_every_refusal_code_has_one_sentence_one_remedy_and_one_colour() -> None:
    assert [reason.code for reason in REASONS] == [each.code for each in PRECEDENCE]
    assert len({reason.letter for reason in REASONS}) == len(REASONS)
    assert all(reason.sentence.endswith(".") and reason.remedy.endswith(".") for reason in REASONS)
    assert reason_of("dnc-blocked") == reason_of("DNC_BLOCKED")


def test_numbers_times_and_periods_are_written_as_people_write_them() -> None:
    assert (
        line("+14155550188")
        == '<data class="line" value="+14155550188" title="+14155550188">(415) 555-0188</data>'
    )
    assert "+44 20 7946 0958" in line("+442079460958")
    assert lines_written("Calls to +14155550188 <now>").endswith("</data> &lt;now&gt;")
    assert [period(each) for each in ("PT24H", "P7D", "PT1H", "x")] == ["24 hours", "7 days", "1 hour", "x"]
    now = datetime(2026, 3, 31, tzinfo=UTC)
    assert [ago(now - timedelta(hours=3), now), ago(now + timedelta(days=2), now)] == [
        "3 hours ago",
        "2 days from now",
    ]
