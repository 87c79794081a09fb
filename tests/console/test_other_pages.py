"""What a person does on the pages of lists, pools, rules and access, each main job as the page offers it."""

from __future__ import annotations

import re

import pytest

from tests.console.conftest import Looker
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler, new_account
from tests.service import Answer

PAGES = {
    "suppressions": "suppressions:read",
    "suppressions/imports": "suppressions:read",
    "registries": "",
    "consents": "consents:read",
    "pools": "pools:read",
    "pools/default": "pools:read",
    "outcomes": "intents:read",
    "texts": "intents:write",
    "policy": "",
    "law": "",
    "law?region=US-PA&channel=call&at=2026-12-24": "",
    "keys": "admin",
    "accounts": "operator",
    "webhooks": "admin",
    "audit": "admin",
}
PATH = "%2B14155550188"


@pytest.fixture
def person(dialler: Dialler) -> Person:
    return signed_in(dialler.service, dialler.key)


def upload(person: Person, name: str, body: bytes, csrf: str) -> Answer:
    mark = "----of-the-test"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += "Content-Type: text/csv\r\n\r\n"
    sent = head.encode() + body + f"\r\n--{mark}--\r\n".encode()
    cookies = "; ".join(f"{key}={value}" for key, value in person.cookies.items())
    return person.service.request(
        "POST",
        f"/console/suppressions/imports?csrf={csrf}",
        sent,
        headers={
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "Cookie": cookies,
            "Accept": "text/html",
        },
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_for_its_scope_and_for_no_less(dialler: Dialler, operator: Dialler, page: str) -> None:
    scope = PAGES[page]
    holder = operator if scope == "operator" else dialler.with_key(scope or "inbound:write")
    answer = signed_in(dialler.service, holder.key).get(f"/console/{page}")
    assert answer.status == 200, words(answer)
    assert len(answer.body) < 200_000
    if scope:
        lesser = signed_in(dialler.service, dialler.with_key("inbound:write").key)
        refused = lesser.get(f"/console/{page}")
        assert refused.status == 403
        assert scope in words(refused)


@pytest.mark.parametrize(
    "page", ["decisions?campaign=%00", "suppressions?source=%00", "webhooks/%00", "law?at=%00"]
)
def test_a_nul_in_an_address_is_no_crash(person: Person, page: str) -> None:
    assert person.get(f"/console/{page}").status == 400


def test_a_number_is_put_on_the_list_in_any_spelling_and_taken_off_with_a_reason(
    dialler: Dialler, person: Person
) -> None:
    assert "Nobody is on your list yet" in person.reads("/console/suppressions")
    without = person.post("/console/suppressions", number="(415) 555-0188", channel="all", reason="")
    assert without.status == 422
    assert "Say why" in words(without)
    assert "(415) 555-0188" in without.body.decode()
    assert (
        person.post("/console/suppressions", number="(415) 555-0188", reason="asked by letter").status == 303
    )
    assert dialler.get(f"/v1/suppressions/{PATH}").json()["entries"][0]["reason"] == "asked by letter"
    assert "(415) 555-0188" in person.reads("/console/suppressions")
    nonsense = person.post("/console/suppressions", number="twelve", reason="so")
    assert nonsense.status == 422
    assert "That is no phone number" in words(nonsense)
    assert (
        person.post("/console/suppressions/remove", number="415-555-0188", reason="typed wrongly").status
        == 303
    )
    assert dialler.get(f"/v1/suppressions/{PATH}").status == 404
    again = person.post("/console/suppressions/remove", number="415-555-0188", reason="typed wrongly")
    assert again.status == 422
    assert "is not on the suppression list" in words(again)


def test_a_file_is_uploaded_its_progress_shown_and_its_rejects_given(
    dialler: Dialler, person: Person
) -> None:
    rows = "".join(f"+1415555{n:04d}\n" for n in range(100, 200))
    answer = upload(person, "list.csv", f"number\n{rows}nobody\n".encode(), person.token())
    assert answer.status == 303
    path = answer.headers["location"]
    for _ in range(100):
        page = person.reads(path)
        if "Under way" not in page:
            break
    assert "It failed, and nothing was changed" in page
    assert "Rejected 1" in page
    assert b"nobody" in person.get(path + "/rejects").body
    good = upload(person, "list.csv", f"number\n{rows}".encode(), person.token())
    for _ in range(100):
        page = person.reads(good.headers["location"])
        if "Under way" not in page:
            break
    assert "Added 100" in page
    assert upload(person, "list.csv", b"number\n", "not-the-token").status == 403
    other = signed_in(dialler.service, new_account(dialler.service).key)
    assert other.get(good.headers["location"]).status == 404


def test_a_pool_and_a_limit_are_set_and_a_lease_is_given_back(dialler: Dialler, person: Person) -> None:
    assert person.post("/console/pools", name="denver", capacity="1,200", calls_per_second="5").status == 303
    found = dialler.get("/v1/pools/denver").json()
    assert (found["capacity"], found["calls_per_second"]) == (1200, 5)
    wrong = person.post("/console/pools", name="denver", capacity="many")
    assert wrong.status == 422
    assert "Capacity must be" in words(wrong)
    assert (
        person.post("/console/pools/limits", limit_name="campaign:spring", limit_capacity="7").status == 303
    )
    assert dialler.get("/v1/limits/campaign:spring").json()["capacity"] == 7
    assert person.post("/console/pools/limits", limit_name="campaign:spring", limit_capacity="").status == 303
    assert dialler.get("/v1/limits/campaign:spring").status == 404
    lease = dialler.approved(pool="denver")["lease"]["id"]
    assert lease in person.get("/console/pools/denver").body.decode()
    assert person.post("/console/pools/denver/release", lease=lease).status == 303
    assert dialler.get("/v1/pools/denver").json()["in_use"] == 0
    assert "given back" in person.reads("/console/pools/denver")


def test_a_policy_is_changed_after_its_differences_were_shown_and_put_back(
    dialler: Dialler, person: Person
) -> None:
    page = person.get("/console/policy").body.decode()
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    change = {"version": version, "house_window-start": "10:00", "names": "Acme\nAcme Shop"}
    shown = person.post("/console/policy", **change)
    assert shown.status == 200
    assert "house_window.start 09:00 10:00" in words(shown)
    assert dialler.get("/v1/policy").json()["house_window"]["start"] == "09:00"
    assert person.post("/console/policy", confirmed="yes", **change).status == 303
    put = dialler.get("/v1/policy").json()
    assert (put["house_window"]["start"], put["names"]) == ("10:00", ["Acme", "Acme Shop"])
    stale = person.post("/console/policy", confirmed="yes", **{**change, "house_window-start": "11:00"})
    assert stale.status == 409
    broken = person.post("/console/policy", caps="[{")
    assert broken.status == 422
    assert "cannot be read as JSON" in words(broken)
    second = {"version": str(put["version"]), "house_window-start": "08:30", "confirmed": "yes"}
    assert person.post("/console/policy", **second).status == 303
    assert "house_window.start" in person.reads(f"/console/policy/versions/{put['version']}")
    assert person.post(f"/console/policy/versions/{put['version']}").status == 303
    assert dialler.get("/v1/policy").json()["house_window"]["start"] == "10:00"


def test_a_key_is_made_shown_once_and_revoked(dialler: Dialler, person: Person) -> None:
    nothing = person.post("/console/keys", name="night")
    assert nothing.status == 422
    assert "Choose what the key may do" in words(nothing)
    made = person.post("/console/keys", name="night", scopes=["intents:read"])
    key = re.search(r"cg_[\w-]{20,}", made.body.decode())
    assert key
    night = signed_in(dialler.service, key[0])
    assert night.get("/console/decisions").status == 200
    assert key[0] not in person.get("/console/keys").body.decode()
    key_id = next(
        item["id"] for item in dialler.get("/v1/api-keys").json()["items"] if item["name"] == "night"
    )
    assert person.post("/console/keys/revoke", key=key_id).status == 303
    assert night.get("/console/decisions").headers["location"] == "/console/sign-in?ended=key"
    emergency = person.post("/console/keys", name="more", scopes=["intents:emergency"])
    assert emergency.status == 403


def test_a_text_is_marked_where_it_would_be_refused(person: Person) -> None:
    answer = person.post("/console/texts", body="Cheap <b>viagra</b> and no prescription, reply STOP to end")
    page = answer.body.decode()
    assert answer.status == 200
    assert '<mark class="blocks">' in page
    assert "&lt;b&gt;" in page
    assert "<b>viagra" not in page
    assert "Nothing was found" in words(person.post("/console/texts", body="Your table is ready."))


def test_a_consent_is_put_on_record_and_withdrawn(dialler: Dialler, person: Person) -> None:
    given = {
        "number": "(415) 555-0188",
        "kind": "express_written",
        "given_at": "2026-11-01",
        "evidence": "form 7",
    }
    assert person.post("/console/consents", channels=["call", "sms"], **given).status == 303
    stored = dialler.get(f"/v1/consents/{PATH}").json()
    assert (stored["kind"], stored["evidence"]) == ("express_written", "form 7")
    assert "form 7" in person.reads("/console/consents")
    assert person.post("/console/consents", **given).status == 422
    assert person.post("/console/consents/withdraw", number="415 555 0188").status == 303
    assert dialler.get(f"/v1/consents/{PATH}").status == 404


def test_no_form_is_taken_without_the_sessions_token(person: Person) -> None:
    for path in (
        "suppressions",
        "suppressions/remove",
        "pools",
        "pools/limits",
        "policy",
        "keys",
        "keys/revoke",
        "consents",
    ):
        answer = person.send(
            "POST", f"/console/{path}", {"csrf": "x", "number": "+14155550188", "reason": "so"}
        )
        assert answer.status == 403, path


async def test_the_pages_are_sound_in_a_browser(dialler: Dialler, looker: Looker) -> None:
    hook = {"url": "https://example.com/hook", "events": ["opt_out.recorded"]}
    assert dialler.put("/v1/webhooks/crm", hook).status == 201
    policy = dialler.get("/v1/policy").json()
    told = {name: value for name, value in policy.items() if name in ("house_window", "names")}
    assert dialler.put("/v1/policy", {**told, "names": ["Acme"]}).status == 200
    await looker.sign_in(dialler.key)
    for path in (
        "suppressions",
        "registries",
        "pools",
        "texts",
        "policy",
        "keys",
        "consents",
        "law?region=US-PA",
        "webhooks",
        "webhooks/crm",
        "audit",
        "policy/versions/1",
        "suppressions/imports",
        "pools/default",
    ):
        await looker.open(f"/console/{path}")
        await looker.looks_sound()


def test_a_webhook_is_set_its_secret_shown_once_and_the_change_stands_in_the_audit(
    dialler: Dialler, person: Person
) -> None:
    form = {
        "name": "crm",
        "url": "https://example.com/hook",
        "events": ["opt_out.recorded"],
        "enabled": "yes",
    }
    made = person.post("/console/webhooks", **form)
    assert made.status == 200
    secret = re.search(r"whsec_[\w+/=-]{20,}", made.body.decode())
    assert secret
    assert secret[0] not in person.get("/console/webhooks").body.decode()
    assert dialler.get("/v1/webhooks/crm").json()["events"] == ["opt_out.recorded"]
    assert person.post("/console/webhooks", **{**form, "enabled": "no"}).status == 303
    near = person.post("/console/webhooks", **{**form, "name": "inside", "url": "https://127.0.0.1/hook"})
    assert near.status == 422
    assert person.get("/console/webhooks/crm").status == 200
    rotated = person.post("/console/webhooks/crm/rotate")
    assert secret[0] not in rotated.body.decode()
    assert person.post("/console/webhooks/crm/remove").status == 303
    said = dialler.get("/v1/audit?subject=webhook").json()["items"]
    assert [each["action"] for each in said] == ["removed", "changed", "changed", "made"]
    assert "whsec_" not in str(said)
    page = person.reads("/console/audit?subject=webhook")
    assert "webhook:crm" in page
    assert '"https://example.com/hook"' in page


def test_a_numbers_evidence_is_a_file_from_its_page(person: Person) -> None:
    assert "/evidence" in person.get("/console/numbers/%2B14155550188").body.decode()
    answer = person.get("/console/numbers/%2B14155550188/evidence")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.body.startswith(b"PK")
