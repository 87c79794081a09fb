"""Carriers' own webhooks: what is genuine is acted upon once, what is forged or stale never."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from plivo.utils.signature_v3 import validate_v3_signature
from sinch.domains.sms.sinch_events.v1.sms_sinch_event import SmsSinchEvent
from telnyx.lib.webhook_verification import verify_webhook_signature
from twilio.request_validator import RequestValidator
from vonage_jwt import verify_signature

from app.clock import utc_now
from app.replies.carriers.known import CARRIERS
from app.replies.carriers.webhook import WebhookRequest
from tests.contract.dialler import new_account
from tests.policy.account import FRANCISCO, Account
from tests.replies.carriers import ACCOUNT_NUMBER, FORM, NAMES, PATH, Carriers, Sent
from tests.service import Answer, RunningService

SIGNED_TIMES = ("telnyx", "vonage", "sinch")


@pytest.fixture
def account(gate: RunningService) -> Account:
    """An account of this test's own."""
    return Account(gate, new_account(gate).key)


@pytest.fixture
def carriers(account: Account) -> Carriers:
    """Its carriers, named in its policy."""
    made = Carriers(account.service.base_url, account.with_scopes("inbound:write").key)
    account.policy(inbound={"carriers": made.policy()})
    return made


def post(account: Account, sent: Sent) -> Answer:
    """The webhook as it arrives: with what its carrier sends and nothing else."""
    return account.service.request("POST", sent.path, sent.body, headers=dict(sent.headers))


def listed(account: Account, query: str = "") -> list[dict[str, Any]]:
    """The messages that are on record, newest first."""
    answer = account.get(PATH + query)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_stop_suppresses_its_sender_and_a_start_lifts_it(
    account: Account, carriers: Carriers, name: str
) -> None:
    stop = carriers.sent(name, FRANCISCO, "Stop", "m-1")
    assert post(account, stop).status == 200
    assert account.entries() == {"all": "opt_out"}
    message = listed(account)[0]
    assert message["from"] == FRANCISCO
    assert message["to"] == ACCOUNT_NUMBER
    assert (message["action"], message["keyword"], message["words"]) == ("opt_out", "STOP", "Stop")
    assert (message["carrier"], message["carrier_message_id"]) == (name, "m-1")
    assert post(account, carriers.sent(name, FRANCISCO, "START", "m-2")).status == 200
    assert account.entries() == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_message_that_comes_again_changes_nothing(account: Account, carriers: Carriers, name: str) -> None:
    """A carrier that did not hear our answer signs anew; what is old must not undo what came after it."""
    for body, message in (("STOP", "m-1"), ("START", "m-2"), ("STOP", "m-1")):
        assert post(account, carriers.sent(name, FRANCISCO, body, message)).status == 200
    assert account.entries() == {}
    for body, message in (("STOP", "m-3"), ("START", "m-2")):
        assert post(account, carriers.sent(name, FRANCISCO, body, message)).status == 200
    assert account.entries() == {"all": "opt_out"}
    assert [message["carrier_message_id"] for message in listed(account)] == ["m-3", "m-2", "m-1"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_forged_is_refused(account: Account, carriers: Carriers, name: str) -> None:
    genuine = carriers.sent(name, FRANCISCO, "See you", "m-1")
    proofs = [field for field in genuine.headers if field != "Content-Type"]
    for forged in (
        carriers.forger().sent(name, FRANCISCO, "STOP", "m-1"),
        # The proof of another message; Bandwidth signs none, and whoever has its password is Bandwidth.
        replace(carriers.sent(name, FRANCISCO, "STOP", "m-1"), headers=genuine.headers),
        replace(genuine, headers={"Content-Type": genuine.headers["Content-Type"]}),
        *(replace(genuine, headers={**genuine.headers, field: "é"}) for field in proofs),
        *(replace(genuine, headers={**genuine.headers, field: ""}) for field in proofs),
    ):
        if name == "bandwidth" and forged.headers == genuine.headers:
            continue
        if name == "sinch" and forged.headers.get("x-sinch-webhook-signature-algorithm") == "":
            continue  # there is only this one
        answer = post(account, forged)
        assert answer.status in (401, 403), (forged, answer.body)
        assert answer.headers["content-type"] == "application/problem+json"
    assert account.entries() == {}
    assert listed(account) == []


@pytest.mark.parametrize("name", SIGNED_TIMES)
def test_what_is_stale_is_refused(account: Account, carriers: Carriers, name: str) -> None:
    for seconds in (3600, 330, -330):
        assert post(account, carriers.late(seconds).sent(name, FRANCISCO, "STOP", "m-1")).status == 403
    assert account.entries() == {}
    assert post(account, carriers.late(240).sent(name, FRANCISCO, "STOP", "m-1")).status == 200
    assert account.entries() == {"all": "opt_out"}


def test_twilio_may_post_json(account: Account, carriers: Carriers) -> None:
    sent = carriers.twilio_json(FRANCISCO, "STOP", "m-1")
    assert post(account, replace(sent, body=sent.body.replace(b"STOP", b"STOPALL"))).status == 403
    assert post(account, replace(sent, path=sent.path.partition("&")[0])).status == 403
    assert post(account, sent).status == 200
    assert account.entries() == {"all": "opt_out"}


def test_twilio_may_sign_with_a_shared_key(account: Account, carriers: Carriers) -> None:
    sent = carriers.twilio(FRANCISCO, "STOP", "m-1")
    fields = dict(parse_qsl(sent.body.decode()))
    signature = RequestValidator(carriers.secret).compute_signature(
        carriers.base_url + sent.path, fields, "HMAC_SHA256"
    )
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    assert post(account, replace(sent, headers=headers)).status == 403
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    assert post(account, replace(sent, headers={**headers, **settings})).status == 200
    settings["X-Twilio-Webhooks-Signature-Settings"] = "algorithm=NONE"
    assert post(account, replace(sent, headers={**headers, **settings})).status == 403


def test_who_sends_the_reply_is_answered_in_its_own_form(account: Account, carriers: Carriers) -> None:
    answer = post(account, carriers.twilio(FRANCISCO, "HELP", "m-1"))
    assert answer.headers["content-type"].startswith("text/xml")
    assert "STOP" in str(ElementTree.fromstring(answer.body).findtext("Message"))
    answer = post(account, carriers.plivo(FRANCISCO, "HELP", "m-1"))
    message = ElementTree.fromstring(answer.body).find("Message")
    assert message is not None
    assert message.attrib == {"src": ACCOUNT_NUMBER[1:], "dst": FRANCISCO[1:], "type": "sms"}
    for name in ("telnyx", "vonage", "sinch", "bandwidth"):
        told = post(account, carriers.sent(name, FRANCISCO, "HELP", "m-1")).json()
        assert (told["action"], told["keyword"]) == ("help", "HELP")
        assert told["reply"]
    for name in ("twilio", "plivo"):
        silent = post(account, carriers.sent(name, FRANCISCO, "See you", "m-2"))
        assert list(ElementTree.fromstring(silent.body)) == []


def test_nobody_is_answered_twice(account: Account, carriers: Carriers) -> None:
    """Twilio's Advanced Opt-Out and Telnyx's autoresponses say that they have answered; others are said to."""
    answered = post(account, carriers.twilio(FRANCISCO, "Schluss", "m-1", OptOutType="STOP"))
    assert list(ElementTree.fromstring(answered.body)) == []
    assert account.entries() == {"all": "opt_out"}
    answered = post(account, carriers.telnyx(FRANCISCO, "START", "m-2", autoresponse_type="START"))
    assert answered.json() == {"action": "opt_in", "keyword": "START", "reply": None}
    for name in NAMES:
        account.policy(inbound={"carriers": {name: {"answers": True}}})
        answer = post(account, carriers.sent(name, FRANCISCO, "HELP", "m-3"))
        assert b"unsubscribe" not in answer.body, name
        assert listed(account)[0]["carrier"] == name


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("telnyx", {"data": {"event_type": "message.finalized", "payload": {"id": "m"}}}),
        ("vonage", {"message_uuid": "m", "status": "delivered", "to": "1", "from": "2"}),
        ("sinch", {"type": "delivery_report_sms", "batch_id": "b"}),
        ("bandwidth", [{"type": "message-delivered", "message": {"id": "m"}}]),
    ],
)
def test_a_receipt_is_no_message(account: Account, carriers: Carriers, name: str, body: object) -> None:
    answer = post(account, resigned(carriers, name, json.dumps(body).encode()))
    assert (answer.status, answer.json()["action"]) == (200, "none")


@pytest.mark.parametrize("name", ["telnyx", "vonage", "sinch", "bandwidth"])
@pytest.mark.parametrize("body", [b"", b"{", b"5", b"null", b"[5]", b'{"data": 5}', b"\xff"])
def test_what_is_signed_and_garbled_is_a_bad_request(
    account: Account, carriers: Carriers, name: str, body: bytes
) -> None:
    answer = post(account, resigned(carriers, name, body))
    assert answer.status in (200, 422), answer.body
    if answer.status == 200:  # an object that is no message of this carrier's
        assert answer.json()["action"] == "none"


def resigned(carriers: Carriers, name: str, body: bytes) -> Sent:
    """Another body with the same carrier's proof of it."""
    import jwt

    sent = carriers.sent(name, FRANCISCO, "STOP", "m")
    headers = dict(sent.headers)
    if name == "telnyx":
        signed = carriers.signing_key.sign(headers["telnyx-timestamp"].encode() + b"|" + body)
        headers["telnyx-signature-ed25519"] = base64.b64encode(signed.signature).decode()
    elif name == "vonage":
        import hashlib

        claims = {"iat": int(utc_now().timestamp()), "payload_hash": hashlib.sha256(body).hexdigest()}
        headers["Authorization"] = "Bearer " + jwt.encode(claims, carriers.secret, algorithm="HS256")
    elif name == "sinch":
        nonce = headers["x-sinch-webhook-signature-nonce"].encode()
        stamp = headers["x-sinch-webhook-signature-timestamp"].encode()
        digest = hmac.digest(carriers.secret.encode(), b".".join((body, nonce, stamp)), "sha256")
        headers["x-sinch-webhook-signature"] = base64.b64encode(digest).decode()
    return Sent(sent.path, body, headers)


def test_one_message_that_names_no_sender_does_not_keep_its_neighbours_out(
    account: Account, carriers: Carriers
) -> None:
    first, second = (json.loads(carriers.bandwidth(FRANCISCO, "STOP", each).body)[0] for each in "ab")
    first["message"]["from"] = "Acme"
    sent = carriers.bandwidth(FRANCISCO, "STOP", "a")
    answer = post(account, replace(sent, body=json.dumps([first, second]).encode()))
    assert answer.status == 422
    assert account.entries() == {"all": "opt_out"}


def test_the_tokens_of_vonage_are_taken_by_one_algorithm_and_with_the_body_s_hash_only(
    account: Account, carriers: Carriers
) -> None:
    import jwt

    sent = carriers.vonage(FRANCISCO, "STOP", "m-1")
    claims = jwt.decode(sent.headers["Authorization"][7:], carriers.secret, algorithms=["HS256"])
    for changed in (
        {**claims, "payload_hash": "0" * 64},
        {name: value for name, value in claims.items() if name != "payload_hash"},
        {name: value for name, value in claims.items() if name != "iat"},
        {**claims, "iat": float("nan")},
        {**claims, "exp": claims["iat"] - 10},
    ):
        token = jwt.encode(changed, carriers.secret, algorithm="HS256")
        wrong = {**sent.headers, "Authorization": f"Bearer {token}"}
        assert post(account, replace(sent, headers=wrong)).status == 403, changed
    others: list[tuple[str, Any]] = [("none", None), ("HS512", carriers.secret * 2)]
    for algorithm, key in others:
        token = jwt.encode(claims, key, algorithm=algorithm)
        wrong = {**sent.headers, "Authorization": f"Bearer {token}"}
        assert post(account, replace(sent, headers=wrong)).status == 403, algorithm
    assert post(account, sent).status == 200


def test_a_key_in_an_address_can_hand_in_messages_and_nothing_else(
    account: Account, carriers: Carriers
) -> None:
    wide = replace(carriers, key=account.key)
    answer = post(account, wide.sinch(FRANCISCO, "STOP", "m-1"))
    assert (answer.status, answer.json()["code"]) == (403, "FORBIDDEN")
    for path in (f"{PATH}?key={carriers.key}", f"/v1/suppressions?key={carriers.key}"):
        assert account.service.request("GET", path).status == 401
    answer = account.service.request("POST", f"{PATH}?key={carriers.key}", {"from": FRANCISCO})
    assert answer.status == 401
    sent = carriers.sinch(FRANCISCO, "STOP", "m-1")
    for query in ("", "?key=", "?key=cg_unknown", f"?key={carriers.key}&key={carriers.key}"):
        unknown = replace(sent, path=f"{PATH}/sinch{query}")
        answer = post(account, unknown)
        assert answer.status == 401, query
    assert "Basic realm=" in answer.headers["www-authenticate"]
    # The key may come as for the other webhooks, too.
    shown = base64.b64encode(f"callgate:{carriers.key}".encode()).decode()
    basic = replace(sent, path=f"{PATH}/sinch", headers={**sent.headers, "Authorization": f"Basic {shown}"})
    assert post(account, basic).status == 200


def test_only_a_carrier_that_the_policy_names_is_heard(account: Account, carriers: Carriers) -> None:
    account.policy(inbound={"carriers": {"sinch": None}})
    assert post(account, carriers.sinch(FRANCISCO, "STOP", "m-1")).status == 403
    assert post(account, carriers.telnyx(FRANCISCO, "STOP", "m-1")).status == 200
    unknown = replace(carriers.sinch(FRANCISCO, "STOP", "m-1"), path=f"{PATH}/pigeon?key={carriers.key}")
    assert post(account, unknown).status == 404


def test_the_secrets_are_never_answered_and_outlast_a_policy_that_is_put_back(
    account: Account, carriers: Carriers
) -> None:
    answer = account.get("/v1/policy")
    told = answer.json()["inbound"]["carriers"]
    assert told == {name: {"has_secret": True, "answers": False} for name in NAMES}
    versions = account.get("/v1/policy/versions").body
    for known in (carriers.secret, carriers.policy()["telnyx"]["public_key"]):
        assert known.encode() not in answer.body + versions
    account.policy(**answer.json())
    account.policy()
    for name in NAMES:
        assert post(account, carriers.sent(name, FRANCISCO, "STOP", "m-1")).status == 200


@pytest.mark.parametrize(
    ("kept", "field"),
    [
        ({"plivo": {}}, "inbound.carriers.plivo.secret"),
        ({"telnyx": {}}, "inbound.carriers.telnyx.public_key"),
        ({"telnyx": {"public_key": "AAAA"}}, "inbound.carriers.telnyx.public_key"),
        ({"telnyx": {"secret": "12345678"}}, "inbound.carriers.telnyx.secret"),
        ({"bandwidth": {"secret": "12345678"}}, "inbound.carriers.bandwidth.username"),
        ({"twilio": {"secret": "short"}}, "inbound.carriers.twilio.secret"),
        ({"pigeon": {"secret": "12345678"}}, "inbound.carriers.pigeon"),
    ],
)
def test_a_policy_that_could_prove_nothing_is_refused(
    account: Account, kept: dict[str, object], field: str
) -> None:
    answer = account.put("/v1/policy", {"inbound": {"carriers": kept}})
    assert answer.status == 422, answer.body
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_messages_are_listed_by_sender_action_and_time(account: Account, carriers: Carriers) -> None:
    for number, body in enumerate(("STOP", "START", "HELP", "See you", "STOP")):
        sender = f"+1415555010{number % 2}"
        assert post(account, carriers.sinch(sender, body, f"m-{number}")).status == 200
    account.inbound("please stop texting me")
    assert [each["action"] for each in listed(account, "?order=asc")] == [
        "opt_out", "opt_in", "help", "opt_out", "opt_out",
    ]  # fmt: skip
    assert [each["carrier"] for each in listed(account)] == [None, *["sinch"] * 4]
    assert [each["action"] for each in listed(account, "?from=%2B14155550101")] == ["opt_in"]
    assert len(listed(account, "?action=opt_out")) == 3
    assert listed(account, "?until=2020-01-01T00:00:00Z") == []
    assert len(listed(account, "?since=2020-01-01T00:00:00Z")) == 5
    first = account.get(f"{PATH}?limit=2&order=asc").json()
    second = account.get(f"{PATH}?limit=3&order=asc&cursor={first['next_cursor']}").json()
    assert second["next_cursor"] is None
    assert [each["id"] for each in (*first["items"], *second["items"])] == [
        each["id"] for each in reversed(listed(account))
    ]
    assert account.get(PATH + "?actoin=help").status == 400
    assert account.with_scopes("inbound:write").get(PATH).status == 403
    other = Account(account.service, new_account(account.service).key)
    assert listed(other) == []


# -- the carriers' own packages say the same of what we take -------------------------------------------


@pytest.fixture(scope="module")
def known() -> Carriers:
    """Carriers of nobody, for what needs no service."""
    return Carriers("https://gate.example", "cg_0123456789")


def judged(carriers: Carriers, name: str, sent: Sent) -> bool:
    """What we say of a webhook."""
    headers = {field.lower(): value for field, value in sent.headers.items()}
    shown = headers.get("authorization", "").removeprefix("Basic ")
    request = WebhookRequest(
        url=carriers.base_url + sent.path,
        body=sent.body,
        media_type=headers["content-type"],
        headers=headers,
        user_info=base64.b64decode(shown).decode() if name == "bandwidth" else None,
        now=utc_now(),
    )
    return CARRIERS[name].is_signed(request, carriers.policy()[name])  # type: ignore[index]


@pytest.mark.parametrize("words", ["STOP", "arrêt — stop & go?", "a=b&c", "+ %2B \u2028"])
@pytest.mark.parametrize("name", NAMES)
def test_the_carrier_s_own_package_says_the_same(known: Carriers, name: str, words: str) -> None:
    for signer in (known, known.forger()):
        sent = signer.sent(name, FRANCISCO, words, secrets.token_hex(8))
        assert judged(known, name, sent) == _by_package(known, name, sent) == (signer is known)


def _by_package(carriers: Carriers, name: str, sent: Sent) -> bool:
    url, text = carriers.base_url + sent.path, sent.body.decode()
    fields = dict(parse_qsl(text, keep_blank_values=True))
    if name == "twilio":
        return bool(
            RequestValidator(carriers.secret).validate(url, fields, sent.headers["X-Twilio-Signature"])
        )
    if name == "plivo":
        headers = sent.headers
        given = headers["X-Plivo-Signature-V3-Nonce"], carriers.secret, headers["X-Plivo-Signature-V3"]
        return bool(validate_v3_signature("POST", url, *given, dict(fields)))
    if name == "vonage":
        return bool(verify_signature(sent.headers["Authorization"][7:], carriers.secret))
    if name == "sinch":
        return bool(SmsSinchEvent(carriers.secret).validate_authentication_header(dict(sent.headers), text))
    if name == "telnyx":
        try:
            verify_webhook_signature(text, sent.headers, carriers.policy()["telnyx"]["public_key"])
        except Exception:
            return False
        return True
    shown = SimpleNamespace(value=base64.b64decode(sent.headers["Authorization"][6:]).decode())
    return bool(shown.value == f"gate:{carriers.secret}")  # it signs nothing, and has no package for it
