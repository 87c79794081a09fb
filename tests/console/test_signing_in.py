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


def test_over_https_the_cookie_travels_by_nothing_else_and_the_environment_is_named(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service(public_url="https://gate.example.com", environment="rehearsal")
    assert "rehearsal" in Person(service).reads("/console/sign-in")
    answer = Person(service).sign_in(service.key)
    assert answer.status == 303
    assert all("Secure" in part for part in answer.headers["set-cookie"].split(", callgate_"))


@pytest.fixture
def behind_a_proxy(start_service: Callable[..., RunningService]) -> RunningService:
    """A service that believes the machine itself, and a network, what they say of addresses."""
    return start_service(trusted_proxies="127.0.0.1, 10.8.0.0/16")


def tries(service: RunningService, key: str, forwarded: str | None, count: int = 1) -> list[int]:
    """The statuses of as many tries with the key."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return [Person(service).sign_in(key, **headers).status for _ in range(count)]


def test_failures_of_one_address_keep_no_other_out(behind_a_proxy: RunningService) -> None:
    service = behind_a_proxy
    for each in range(20):
        assert tries(service, f"cg_{each}-is-a-guess-at-a-key", "203.0.113.7") == [401]
    answer = Person(service).sign_in(service.key, **{"X-Forwarded-For": "203.0.113.7"})
    assert answer.status == 429
    assert "Too many attempts from this address" in words(answer)
    assert tries(service, service.key, "203.0.113.8") == [303]


@pytest.mark.parametrize("spelt", ["{client}, 10.8.3.4", "198.51.100.{each}, {client}", "{client}:{port}"])
def test_an_address_is_the_last_that_no_trusted_proxy_has(behind_a_proxy: RunningService, spelt: str) -> None:
    for each in range(20):
        told = spelt.format(client="203.0.113.7", each=each, port=40000 + each)
        assert tries(behind_a_proxy, f"cg_{each}-is-a-guess-at-a-key", told) == [401]
    assert tries(behind_a_proxy, behind_a_proxy.key, "203.0.113.7") == [429]
    assert tries(behind_a_proxy, behind_a_proxy.key, "198.51.100.1") == [303]


def test_whoever_comes_from_elsewhere_says_in_vain_that_it_forwards(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service(trusted_proxies="10.8.0.0/16")
    for each in range(20):
        assert tries(service, f"cg_{each}-is-a-guess-at-a-key", f"203.0.113.{each}") == [401]
    assert tries(service, service.key, "203.0.113.99") == [429]


def test_a_network_of_version_6_is_one_address(behind_a_proxy: RunningService) -> None:
    for each in range(20):
        assert tries(behind_a_proxy, f"cg_{each}-is-a-guess-at-a-key", f"2001:db8::{each:x}") == [401]
    assert tries(behind_a_proxy, behind_a_proxy.key, "[2001:db8::ffff]:443") == [429]
    assert tries(behind_a_proxy, behind_a_proxy.key, "2001:db8:0:1::1") == [303]


def test_who_was_let_in_from_an_address_is_let_in_again_whatever_others_do_there(
    behind_a_proxy: RunningService,
) -> None:
    here = "203.0.113.7"
    operator = Dialler(behind_a_proxy, behind_a_proxy.key)
    assert tries(behind_a_proxy, operator.key, here) == [303]
    for each in range(20):
        assert tries(behind_a_proxy, f"cg_{each}-is-a-guess-at-a-key", here) == [401]
    newcomer = operator.with_key("intents:read")
    assert tries(behind_a_proxy, newcomer.key, here) == [429]
    assert tries(behind_a_proxy, operator.key, here) == [303]
    known = operator.with_key("intents:read")
    assert tries(behind_a_proxy, known.key, "198.51.100.1") == [303]
    assert operator.delete(f"/v1/api-keys/{known.key_id}").status == 204
    assert tries(behind_a_proxy, known.key, "198.51.100.1") == [401], "known is not the same as good"


def test_guesses_at_one_key_are_counted_wherever_they_come_from_and_keep_its_holder_in(
    behind_a_proxy: RunningService,
) -> None:
    guess = behind_a_proxy.key[:11] + "-and-the-rest-is-guessed"
    for each in range(10):
        assert tries(behind_a_proxy, guess, f"203.0.113.{each}", 2) == [401, 401]
    assert tries(behind_a_proxy, guess, "203.0.113.3") == [429]
    assert tries(behind_a_proxy, behind_a_proxy.key, "198.51.100.1") == [303], "no try has failed from there"


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
