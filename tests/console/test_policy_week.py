"""Before a policy is put it is told what it would have changed last week: counts, reasons, decisions to open."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.console.conftest import Looker
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler, new_account

CAPPED = '[{"max": 1, "period": "PT24H", "counts": ["call"]}]'


@pytest.fixture
def called(dialler: Dialler) -> Dialler:
    """An account that called one number three times, in the campaign spring."""
    number = dialler.open_number()
    for _ in range(3):
        dialler.approved(to=number, campaign="spring")
    return dialler


def asked(person: Person, path: str = "/console/policy", **fields: str) -> str:
    answer = person.post(path, **{"house_window-start": "09:00", "caps": CAPPED, **fields})
    assert answer.status == 200, words(answer)
    return answer.body.decode()


def test_what_would_have_changed_is_told_as_the_api_does_and_nothing_is_put(called: Dialler) -> None:
    person = signed_in(called.service, called.key)
    shown = asked(person)
    assert "Approved then, refused now" not in shown, "it is asked for by itself"
    assert 'data-asks="confirm"' in shown
    policy = {"caps": [{"max": 1, "period": "PT24H", "counts": ["call"]}]}
    told = called.post("/v1/policy/preview", {"policy": policy}).json()
    assert told["now_refused"] == 2
    for page in (asked(person, week="yes"), asked(person, "/console/policy?part=inner", week="yes")):
        read = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
        assert "3 decisions were made" in read
        assert "Approved then, refused now 2" in read
        assert "F Too often 2 0" in read
        assert "spring 3 2 0" in read
        assert {*re.findall(r"/console/decisions/([0-9a-f-]{36})", page)} == {
            each["id"] for each in told["samples"]
        }
    assert called.get("/v1/policy").json()["version"] == 0
    decision = person.reads(f"/console/decisions/{told['samples'][0]['id']}")
    assert "A call that was approved" in decision


def test_the_week_is_the_account_s_own_and_an_empty_one_says_so(called: Dialler) -> None:
    other = new_account(called.service)
    page = asked(signed_in(other.service, other.key), week="yes")
    assert "no decision was made in the last seven days" in page
    only_reads = signed_in(called.service, called.with_key("intents:read").key)
    assert only_reads.post("/console/policy", week="yes", caps=CAPPED).status == 403


def test_a_version_of_before_is_held_against_the_week_too_and_only_by_who_may(called: Dialler) -> None:
    strict = {"caps": [{"max": 1, "period": "PT24H", "counts": ["call"]}]}
    assert called.put("/v1/policy", strict).status == 200
    assert called.put("/v1/policy", {}).status == 200
    person = signed_in(called.service, called.key)
    assert "Approved then, refused now 2" in person.reads("/console/policy/versions/1?week=yes")
    reader = signed_in(called.service, called.with_key("intents:read").key)
    assert "version 1" in reader.reads("/console/policy/versions/1")
    assert reader.get("/console/policy/versions/1?week=yes").status == 403
    assert "Not before" in reader.reads("/console/policy")
    assert "<textarea" not in reader.get("/console/policy").body.decode()


def test_what_would_change_is_told_in_the_form_s_words_and_what_would_not_is_left_out(
    called: Dialler,
) -> None:
    person = signed_in(called.service, called.key)
    same = person.post("/console/policy", **{"house_window-start": "09:00", "consent-call": "law"})
    assert "Nothing would change" in words(same), "of two ways to write one thing"
    shown = asked(person, missing_lists="block")
    read = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown))
    assert "Caps on attempts caps — at most 1 call in 24 hours to one number" in read
    assert "missing or too old missing_lists approve, with a warning refuse" in read
    limit = {"max": 0.03, "period": "P30D", "action": "block"}
    for policy in ({"names": ["Acme"]}, {"names": ["Acme"], "abandonment": limit}):
        assert called.put("/v1/policy", policy).status == 200
    back = person.reads("/console/policy/versions/1").split("Putting it back would change")[1]
    assert "Abandoned calls abandonment" in back, "also where nothing stood there"
    assert "Callgate 0" in person.reads("/console/policy"), "the foot names the release"


def test_a_caller_id_that_the_policy_would_not_show_has_a_word_for_it(called: Dialler) -> None:
    person = signed_in(called.service, called.key)
    page = asked(person, week="yes", caps="[]", callers="+12125550199", callers_only="true")
    assert "N Caller id" in page


async def test_the_week_is_shown_by_itself_before_it_is_saved(called: Dialler, looker: Looker) -> None:
    page = await looker.sign_in(called.key)
    await looker.open("/console/policy")
    await page.get_by_label("Caps on attempts").fill(CAPPED)
    await page.get_by_role("button", name="Show what would change").click()
    await expect(page.get_by_role("heading", name="What would have changed last week")).to_be_visible()
    await expect(page.locator("#week")).to_contain_text("3 decisions were made")
    await expect(page.get_by_role("button", name="What would have changed")).to_be_hidden()
    await looker.looks_sound()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("main")).to_contain_text("Version 1 is in force")
    assert called.put("/v1/policy", {}).status == 200
    await looker.open("/console/policy/versions/1")
    await expect(page.locator("#week")).to_contain_text("Approved then, refused now")
    await looker.looks_sound()
    # On paper the policy stands as a document, and its form does not.
    await looker.open("/console/policy")
    await page.emulate_media(media="print")
    await expect(page.locator("dl.printed")).to_contain_text("09:00")
    await expect(page.locator("#field-comment")).to_be_hidden()
    await expect(page.locator(".paper")).to_contain_text("policy, version 2")
