"""Signing in through an issuer of OpenID Connect: roles by claim, and nothing that does not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import jwt
import pytest

from app.console.open_id.roles import Roles, read_roles
from app.platform.outcomes import NotAllowed
from app.settings import Settings, SettingsError
from tests.console.conftest import Looker
from tests.console.issuer import CLIENT, SECRET, SmallIssuer, started
from tests.console.person import Person, forget_attempts, words
from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import PATIENT, Answer, RunningService

ROLES = (
    "callgate-admin=admin; compliance=intents:read suppressions:read suppressions:write; chief=operator admin"
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[SmallIssuer]:
    """One issuer for the module."""
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def shared_gate(servers: Servers, module_database_url: str, issuer: SmallIssuer) -> Iterator[RunningService]:
    """A service whose people sign in through it."""
    settings = {
        "database_url": module_database_url,
        "redis_url": servers.redis_url,
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_roles": ROLES,
        "oidc_roles_claim": "realm_access.roles",
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def honest(issuer: SmallIssuer) -> None:
    """Nothing is left of what a test before made the issuer say."""
    issuer.forge, issuer.sign = lambda claims: None, issuer._signed


def as_person(issuer: SmallIssuer, dialler: Dialler, *roles: str, **claims: Any) -> None:
    issuer.claims = {
        "sub": f"ana-{dialler.account_id}",
        "name": "Ana Ruiz",
        "realm_access": {"roles": list(roles)},
    }
    issuer.claims |= {"callgate_account": dialler.account_id, **claims}


def departed(person: Person, issuer: SmallIssuer, where_to: str = "") -> str:
    """Over to the issuer; the address that leads back."""
    forget_attempts(person.service)
    answer = person.get(f"/console/sign-in/issuer?next={where_to}")
    assert answer.status == 303, words(answer)
    there = urlsplit(answer.headers["location"])
    assert f"{there.scheme}://{there.netloc}" == issuer.url
    return issuer.authorize(there.query).removeprefix(person.service.base_url)


def arrived(person: Person, issuer: SmallIssuer) -> Answer:
    return person.get(departed(person, issuer))


def test_a_person_signs_in_through_the_issuer_with_the_rights_of_the_role(
    dialler: Dialler, issuer: SmallIssuer
) -> None:
    as_person(issuer, dialler, "compliance", "of-another-program")
    person = Person(dialler.service)
    assert urlsplit(issuer.url).netloc in person.reads("/console/sign-in")
    back = person.get(departed(person, issuer, "/console/suppressions"))
    assert back.status == 200
    assert back.status == 200
    assert 'href="/console/suppressions"' in back.body.decode()
    assert person.get("/console/suppressions").status == 200
    assert person.post("/console/suppressions", number="(415) 555-0188", reason="so").status == 303
    assert dialler.get("/v1/suppressions/+14155550188").status == 200
    for page in ("keys", "audit", "consents", "accounts", "pools"):
        assert person.get(f"/console/{page}").status == 403, page
    assert person.post("/console/keys", name="x", scopes=["intents:read"]).status == 403
    asked = issuer.asked[-1]
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20
    other = new_account(dialler.service)
    other.put("/v1/suppressions/+14155550199", {"reason": "theirs"})
    assert "(415) 555-0199" not in person.reads("/console/suppressions")


def test_a_persons_key_is_one_stands_in_the_audit_and_ends_the_session_when_it_is_revoked(
    dialler: Dialler, issuer: SmallIssuer
) -> None:
    as_person(issuer, dialler, "compliance")
    first, second = Person(dialler.service), Person(dialler.service)
    assert [arrived(each, issuer).status for each in (first, second)] == [200, 200]
    of_ana = [each for each in dialler.get("/v1/api-keys").json()["items"] if "Ana Ruiz" in each["name"]]
    assert len(of_ana) == 1
    assert of_ana[0]["expires_at"] is not None
    made = dialler.get(f"/v1/audit?subject=key:{of_ana[0]['id']}").json()["items"]
    assert [(each["actor"], each["action"]) for each in made] == [("issuer", "made")]
    assert dialler.delete(f"/v1/api-keys/{of_ana[0]['id']}").status == 204
    assert first.get("/console/suppressions").headers["location"] == "/console/sign-in?ended=key"
    again = arrived(Person(dialler.service), issuer)
    assert again.status == 403
    assert "has been revoked" in words(again)


def test_other_roles_are_another_key_and_an_admin_is_no_operator(
    dialler: Dialler, issuer: SmallIssuer
) -> None:
    as_person(issuer, dialler, "callgate-admin")
    person = Person(dialler.service)
    assert arrived(person, issuer).status == 200
    assert person.get("/console/keys").status == 200
    assert person.get("/console/accounts").status == 403
    as_person(issuer, dialler, "chief")
    refused = arrived(Person(dialler.service), issuer)
    assert refused.status == 403
    assert "first account" in words(refused)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"realm_access": {"roles": ["of-another-program"]}}, "None of your roles"),
        ({"realm_access": "?"}, "None of your roles"),
        ({"callgate_account": "01890000-0000-7000-8000-000000000000"}, "no such account"),
        ({"callgate_account": "first"}, "names no account"),
        ({"callgate_account": None}, "names no account"),
    ],
)
def test_who_has_no_role_or_no_account_is_told_so(
    dialler: Dialler, issuer: SmallIssuer, claims: dict[str, Any], told: str
) -> None:
    as_person(issuer, dialler, "compliance", **claims)
    person = Person(dialler.service)
    answer = arrived(person, issuer)
    assert answer.status == 403
    assert told in words(answer)
    assert "callgate_session" not in person.cookies


@pytest.mark.parametrize(
    "forged",
    [
        {"nonce": "of another sign-in"},
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another-program"},
        {"exp": 1_700_000_000},
        {"sub": None},
    ],
    ids=lambda forged: next(iter(forged)),
)
def test_a_token_that_does_not_hold_signs_nobody_in(
    dialler: Dialler, issuer: SmallIssuer, forged: dict[str, Any]
) -> None:
    as_person(issuer, dialler, "compliance")
    issuer.forge = lambda claims: claims.update(forged)
    person = Person(dialler.service)
    assert arrived(person, issuer).status == 403
    assert "callgate_session" not in person.cookies


def test_a_signature_by_nobody_or_by_the_shared_secret_signs_nobody_in(
    dialler: Dialler, issuer: SmallIssuer
) -> None:
    as_person(issuer, dialler, "compliance")
    for sign in (
        lambda claims: jwt.encode(claims, "", "none"),
        lambda claims: jwt.encode(claims, SECRET.ljust(32, "."), "HS256", headers={"kid": "one"}),
    ):
        issuer.sign = sign
        person = Person(dialler.service)
        assert arrived(person, issuer).status == 403
        assert "callgate_session" not in person.cookies


def test_the_way_back_is_of_one_browser_and_of_one_use(dialler: Dialler, issuer: SmallIssuer) -> None:
    as_person(issuer, dialler, "compliance")
    ana, stranger = Person(dialler.service), Person(dialler.service)
    back = departed(ana, issuer)
    assert stranger.get(back).status == 403
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert ana.get(back.replace(state, "x" * len(state))).status == 403
    kept = dict(ana.cookies)
    assert ana.get(back).status == 200
    twice = Person(dialler.service)
    twice.cookies = kept
    assert twice.get(back).status == 403
    denied = departed(Person(dialler.service), issuer)
    assert Person(dialler.service).get(re.sub("code=[^&]+", "error=access_denied", denied)).status == 403


def test_nobody_is_led_to_another_site(dialler: Dialler, issuer: SmallIssuer) -> None:
    as_person(issuer, dialler, "compliance")
    person = Person(dialler.service)
    back = person.get(departed(person, issuer, "https://elsewhere.example/"))
    assert b"elsewhere" not in back.body


async def test_a_person_in_a_browser_is_signed_in_by_one_click(
    looker: Looker, dialler: Dialler, issuer: SmallIssuer
) -> None:
    as_person(issuer, dialler, "compliance")
    page = await looker.open("/console/suppressions")
    await page.get_by_role("link", name=re.compile("Sign in through")).click()
    await page.get_by_role("heading", name="Who must not be contacted").wait_for()
    await looker.looks_sound()


OURS, THEIRS = UUID("01890000-0000-7000-8000-000000000001"), UUID("01890000-0000-7000-8000-000000000002")


@pytest.mark.parametrize(
    ("named", "account"),
    [
        ({}, OURS),
        ({"callgate_account": None}, OURS),
        ({"callgate_account": str(THEIRS)}, THEIRS),
        ({"callgate_account": [str(THEIRS)]}, THEIRS),
        ({"callgate_account": [str(THEIRS), str(OURS)]}, None),
        ({"callgate_account": []}, None),
        ({"callgate_account": {"id": str(THEIRS)}}, None),
        ({"callgate_account": 7}, None),
        ({"callgate_account": ""}, None),
    ],
    ids=str,
)
def test_nobody_whose_claim_names_an_account_comes_into_the_one_for_those_without(
    named: dict[str, Any], account: UUID | None
) -> None:
    roles = Roles("roles", read_roles("desk=intents:read"), "callgate_account", OURS)
    claims = {"sub": "ana", "roles": "desk", **named}
    if account is None:
        with pytest.raises(NotAllowed, match="names no account"):
            roles.person(claims)
    else:
        assert roles.person(claims).account_id == account


def test_roles_that_mean_nothing_keep_the_service_from_starting(issuer: SmallIssuer) -> None:
    with pytest.raises(ValueError, match="'x' may do fly"):
        read_roles("callgate-admin=admin; x=fly intents:read")
    with pytest.raises(ValueError, match="'x' may do nothing"):
        read_roles("x=")
    with pytest.raises(SettingsError, match="https"):
        Settings.from_environ({"CALLGATE_OIDC_ISSUER": "http://login.example.com"})
