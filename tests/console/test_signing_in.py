"""Who signs in with a key may do here what the key may do, for twelve hours, and no longer than the key is good."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.console.conftest import Looker
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler
from tests.service import RunningService


def test_a_key_opens_a_session_whose_cookie_no_script_and_no_other_site_gets(dialler: Dialler) -> None:
    person = Person(dialler.service)
    answer = person.sign_in(dialler.key)
    assert (answer.status, answer.headers["location"]) == (303, "/console")
    cookie = next(part for part in answer.headers["set-cookie"].split(", ") if "callgate_session" in part)
    assert {"HttpOnly", "SameSite=strict", "Path=/console", "Max-Age=43200"} <= set(cookie.split("; "))
    assert dialler.key not in str(answer.headers)
    assert person.get("/console").status == 303
    assert "Decisions" in person.reads("/console/decisions")


def test_a_wrong_key_is_told_why_beside_the_field_and_above_the_form(gate: RunningService) -> None:
    for wrong, told in (
        ("cg_nobody-knows-this-key", "not known"),
        ("sk_live_1", "begin with cg_"),
        ("", "Paste"),
    ):
        answer = Person(gate).sign_in(wrong)
        assert answer.status == 401
        page = words(answer)
        assert page.count(told) >= 1
        assert wrong == "" or wrong not in answer.body.decode()


def test_a_revoked_key_is_signed_out_at_once(dialler: Dialler) -> None:
    other = dialler.with_key("intents:read")
    person = signed_in(dialler.service, other.key)
    assert person.get("/console/decisions").status == 200
    assert dialler.delete(f"/v1/api-keys/{other.key_id}").status == 204
    answer = person.get("/console/decisions")
    assert (answer.status, answer.headers["location"]) == (303, "/console/sign-in?ended=key")
    assert "callgate_session" not in person.cookies
    assert "has been revoked or has expired" in person.reads("/console/sign-in?ended=key")


def test_signing_out_ends_the_session_and_not_only_the_cookie(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    kept = dict(person.cookies)
    assert person.post("/console/sign-out").status == 303
    person.cookies = kept
    assert person.get("/console/decisions").headers["location"].startswith("/console/sign-in")


def test_a_key_that_may_see_little_is_led_to_what_it_may_and_told_whom_to_ask(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.with_key("inbound:write").key)
    assert person.get("/console").headers["location"] == "/console/registries"
    answer = person.get("/console/decisions")
    assert answer.status == 403
    page = words(answer)
    assert "lacks the scope intents:read" in page
    assert "scope admin" in page


def test_a_form_of_another_session_or_site_is_refused(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    stranger = signed_in(dialler.service, dialler.key).token()
    for token in ("", "x", stranger):
        assert person.send("POST", "/console/sign-out", {"csrf": token}).status == 403
    mine = person.token()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert person.send("POST", "/console/sign-out", {"csrf": mine}, headers).status == 403
    assert person.get("/console/decisions").status == 200


def test_signing_in_needs_the_form_that_this_browser_was_given(dialler: Dialler) -> None:
    token = Person(dialler.service).token("/console/sign-in")
    answer = Person(dialler.service).send("POST", "/console/sign-in", {"key": dialler.key, "csrf": token})
    assert answer.status == 403


@pytest.mark.parametrize(
    "where", ["https://evil.example", "//evil.example", "/console//evil.example", "/\\evil", "/v1"]
)
def test_nobody_is_led_to_another_site(dialler: Dialler, where: str) -> None:
    person = Person(dialler.service)
    token = person.token("/console/sign-in")
    answer = person.send("POST", "/console/sign-in", {"key": dialler.key, "csrf": token, "next": where})
    assert answer.headers["location"] == "/console"


def test_failures_are_limited_by_address_and_over_https_the_cookie_travels_by_nothing_else(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service(
        trusted_proxies="127.0.0.1", public_url="https://gate.example.com", environment="rehearsal"
    )
    from_there = {"X-Forwarded-For": "203.0.113.7"}
    for _ in range(20):
        assert Person(service).sign_in("cg_a-guess-at-a-key", **from_there).status == 401
    answer = Person(service).sign_in(service.key, **from_there)
    assert answer.status == 429
    assert "Too many attempts from this address" in words(answer)
    assert "rehearsal" in words(answer)
    person = Person(service)
    answer = person.sign_in(service.key, **{"X-Forwarded-For": "203.0.113.8"})
    assert answer.status == 303
    assert all("Secure" in part for part in answer.headers["set-cookie"].split(", callgate_"))


async def test_a_person_signs_in_and_out_in_a_browser(looker: Looker, dialler: Dialler) -> None:
    page = await looker.open("/console")
    await looker.looks_sound()
    page = await looker.sign_in(dialler.key)
    await looker.looks_sound()
    assert "Los Angeles" in await page.locator("footer").inner_text()
    await page.keyboard.press("/")
    assert await page.evaluate("document.activeElement.id") == "find"
    await page.keyboard.press("Escape")
    await page.locator(".who summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in?ended=out")
    await looker.looks_sound()
