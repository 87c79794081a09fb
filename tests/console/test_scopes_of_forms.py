"""What a form answers when it is filled in wrongly shows no more than the key may read."""

from __future__ import annotations

import pytest

from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler

NUMBER = "%2B14155550188"
FORMS = {
    "suppressions": ("suppressions:write", "suppressions:read"),
    "suppressions/remove": ("suppressions:write", "suppressions:read"),
    "consents": ("consents:write", "consents:read"),
    "consents/withdraw": ("consents:write", "consents:read"),
    "pools": ("pools:write", "pools:read"),
    "pools/limits": ("pools:write", "pools:read"),
    f"numbers/{NUMBER}/suppress": ("suppressions:write", "intents:read"),
    f"numbers/{NUMBER}/remove": ("suppressions:write", "intents:read"),
    f"numbers/{NUMBER}/consent": ("consents:write", "intents:read"),
}


def posted(person: Person, path: str) -> tuple[int, str]:
    answer = person.post(
        f"/console/{path}", number="none", capacity="none", limit_name="x", limit_capacity="x"
    )
    return answer.status, words(answer)


@pytest.mark.parametrize("path", FORMS)
def test_a_key_that_may_only_write_is_shown_nothing_by_a_form_in_vain(dialler: Dialler, path: str) -> None:
    write, read = FORMS[path]
    dialler.service.request(
        "PUT",
        f"/v1/suppressions/{NUMBER}",
        {"reason": "told to nobody else"},
        headers={"Authorization": f"Bearer {dialler.key}"},
    )
    status, said = posted(signed_in(dialler.service, dialler.with_key(write).key), path)
    assert status == 403
    assert read in said
    assert "told to nobody else" not in said
    status, said = posted(signed_in(dialler.service, dialler.with_key(write, read).key), path)
    assert status == 422, said


@pytest.mark.parametrize(
    "path",
    [
        "where?at=0001-01-01 00:00",
        "where?at=9999-12-31 23:59",
        "law?at=0001-01-01",
        "law?at=9999-12-31",
        "decisions?to=*0188&until=0001-01-01",
        "decisions?to=*0188&until=0001-01-20T00:00:00Z",
        "decisions?since=9999-12-31&until=9999-12-31",
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_the_ends_of_the_calendar_are_no_fault_of_the_service(dialler: Dialler, path: str, zone: str) -> None:
    person = signed_in(dialler.service, dialler.key)
    person.cookies["callgate_zone"] = zone
    answer = person.get(f"/console/{path.replace(' ', '%20')}")
    assert answer.status < 500, words(answer)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_ends_of_the_calendar_in_a_form_is_told_as_one_that_does_not_do(
    dialler: Dialler, day: str
) -> None:
    person = signed_in(dialler.service, dialler.key)
    person.cookies["callgate_zone"] = "Asia/Tokyo"
    page = f"/console/numbers/{NUMBER}"
    assert person.post(f"{page}/suppress", suppress_reason="so", suppress_until=day).status == 422
    consent = {"consent_kind": "express", "consent_evidence": "form", "consent_channels": "call"}
    assert person.post(f"{page}/consent", **consent, consent_given=day).status < 500


@pytest.mark.parametrize("name", ["../policy", "a/b", "-x", "a b", "é", "a" * 65])
def test_a_webhook_gets_no_name_by_which_the_api_could_not_find_it(dialler: Dialler, name: str) -> None:
    person = signed_in(dialler.service, dialler.key)
    answer = person.post(
        "/console/webhooks", name=name, url="https://hooks.example.com/x", events="opt_out.recorded"
    )
    assert answer.status == 422
    assert dialler.get("/v1/webhooks").json()["items"] == []


def test_an_origin_that_is_no_address_is_another_site(dialler: Dialler) -> None:
    person = Person(dialler.service)
    assert person.sign_in(dialler.key, Origin="http://[").status == 403


@pytest.mark.parametrize(
    "path",
    [
        "decisions?campaign=a%00",
        "audit?actor=%00",
        "audit?subject=a%00",
        "suppressions?source=%00",
        "replies?from=%00",
        "pools/a%00b",
        "webhooks/a%00b",
        "webhooks/a?status=%00",
        "find?q=%00",
        "nowhere/%00",
    ],
)
def test_a_nul_in_an_address_is_no_fault_of_the_service(dialler: Dialler, path: str) -> None:
    answer = signed_in(dialler.service, dialler.key).get(f"/console/{path}")
    assert answer.status == 400
    assert "NUL" in words(answer)
