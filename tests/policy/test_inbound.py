"""Opt-outs, opt-ins and help: by JSON and by a carrier's signed form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from app.replies.carriers.twilio import is_signed, signature
from tests.policy.account import CALLER_ID, FRANCISCO, MORNING, ORLEANS, Account, reasons
from tests.service import Answer, RunningService

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
FORM = "application/x-www-form-urlencoded"
PATH = "/v1/inbound-messages"


def test_stop_suppresses_at_once_for_every_channel_and_once(account: Account) -> None:
    assert account.codes(at=MORNING) == []
    taken = account.inbound(" Stop. ")
    assert (taken["action"], taken["keyword"]) == ("opt_out", "STOP")
    assert taken["reply"]
    assert account.codes(at=MORNING) == ["DNC_BLOCKED"]
    # What the person had agreed to before, and is presented with a text to California, is over as well.
    assert account.codes(at=MORNING, body="Your table is ready.") == ["DNC_BLOCKED", "CONSENT_REQUIRED"]
    assert account.inbound("STOP")["action"] == "opt_out"
    assert account.entries() == {"all": "opt_out"}
    events = account.get(f"/v1/suppressions/{FRANCISCO}/history").json()["items"]
    assert [event["action"] for event in events] == ["added"]


def test_a_person_s_opt_out_binds_informational_messages_too(account: Account) -> None:
    account.inbound("STOP")
    assert account.codes(at=MORNING, purpose="informational") == ["DNC_BLOCKED"]


def test_other_words_are_an_opt_out_too_and_are_kept(account: Account) -> None:
    taken = account.inbound("Hi - please stop texting me, thanks")
    assert (taken["action"], taken["keyword"]) == ("opt_out", None)
    entry = account.get(f"/v1/suppressions/{FRANCISCO}").json()["entries"][0]
    assert entry["reason"] == "Hi - please stop texting me, thanks"


def test_the_transcript_of_a_call_is_a_reply_as_well(account: Account) -> None:
    spoken = {"from": FRANCISCO, "to": CALLER_ID, "body": "um hi please stop calling me", "channel": "call"}
    taken = account.send("POST", PATH, spoken)
    assert (taken.status, taken.json()["action"]) == (200, "opt_out")
    assert account.entries() == {"all": "opt_out"}
    assert account.send("POST", PATH, {**spoken, "channel": "fax"}).status == 422


def test_start_lifts_what_stop_made(account: Account) -> None:
    account.inbound("STOP")
    taken = account.inbound("start")
    assert (taken["action"], taken["keyword"]) == ("opt_in", "START")
    assert account.entries() == {}
    assert account.codes(at=MORNING) == []
    account.inbound("unsubscribe")
    assert account.entries() == {"all": "opt_out"}


def test_start_never_lifts_a_manual_entry(account: Account) -> None:
    account.send("POST", "/v1/suppressions", {"number": FRANCISCO, "reason": "lawyer's letter"})
    account.inbound("START")
    assert account.entries() == {"all": "manual"}
    account.inbound("STOP")
    both = account.get(f"/v1/suppressions/{FRANCISCO}").json()["entries"]
    assert [(entry["channel"], entry["source"]) for entry in both] == [("all", "manual"), ("all", "opt_out")]
    account.inbound("START")
    assert account.entries() == {"all": "manual"}


def test_start_never_lifts_an_entry_that_was_only_called_an_opt_out(account: Account) -> None:
    account.send("POST", "/v1/suppressions", {"number": FRANCISCO, "source": "opt_out"})
    account.inbound("START")
    assert account.entries() == {"all": "opt_out"}


def test_who_puts_the_number_on_the_list_too_leaves_the_wish_alone(account: Account) -> None:
    account.inbound("STOP")
    stopped = account.get(f"/v1/suppressions/{FRANCISCO}").json()["entries"][0]
    assert stopped["opted_out_at"] == stopped["created_at"]
    body = {"source": "crm", "reason": "and said so on the phone"}
    made = account.put(f"/v1/suppressions/{FRANCISCO}", body)
    assert (made.status, made.json()["opted_out_at"]) == (201, None)
    account.inbound("START")
    assert account.entries() == {"all": "crm"}


def test_start_lifts_a_stop_that_was_exported_and_imported(account: Account, operator: Account) -> None:
    """Another account of the same installation stands for another installation."""
    made = operator.send("POST", "/v1/accounts", {"name": "moved"})
    other = Account(operator.service, made.json()["key"])
    account.inbound("STOP")
    account.send("POST", "/v1/suppressions", {"number": ORLEANS, "source": "opt_out"})
    exported = account.get("/v1/suppressions/export").body
    job = other.send(
        "POST", "/v1/suppressions/imports", exported, headers={"Content-Type": "text/csv"}
    ).json()
    while job["status"] == "running":
        time.sleep(0.02)
        job = other.get(f"/v1/suppressions/imports/{job['id']}").json()
    assert (job["status"], job["added"]) == ("succeeded", 2)
    other.inbound("START")
    other.inbound("START", sender=ORLEANS)
    assert other.entries() == {}
    assert other.entries(ORLEANS) == {"all": "opt_out"}


def test_the_wish_outlives_a_manual_entry_that_ends(account: Account) -> None:
    soon = "2199-01-01T00:00:00Z"
    for channel in ("all", "call"):
        body = {"number": FRANCISCO, "channel": channel, "expires_at": soon}
        assert account.send("POST", "/v1/suppressions", body).status == 201
    account.inbound("STOP")
    entries = account.get(f"/v1/suppressions/{FRANCISCO}").json()["entries"]
    assert [(entry["channel"], entry["source"], entry["expires_at"]) for entry in entries] == [
        ("all", "manual", soon),
        ("all", "opt_out", None),
        ("call", "manual", soon),
    ]


def test_help_is_answered_and_chatter_is_not(account: Account) -> None:
    assert (account.inbound("HELP")["action"], account.inbound("HELP")["keyword"]) == ("help", "HELP")
    assert account.inbound("See you at 5, don't stop by before") == {
        "action": "none",
        "keyword": None,
        "reply": None,
    }
    assert account.entries() == {}


def test_the_replies_are_the_account_s_own(account: Account) -> None:
    account.policy(names=["Acme Dental"])
    assert account.inbound("HELP")["reply"].startswith("Acme Dental: ")
    account.policy(inbound={"opt_out_reply": "Gone for good.", "help_reply": "Call 415-555-0100."})
    assert account.inbound("STOP")["reply"] == "Gone for good."
    assert account.inbound("HELP")["reply"] == "Call 415-555-0100."
    assert "unsubscribe" in account.inbound("START")["reply"]


def test_one_account_s_opt_out_is_not_another_s(account: Account, operator: Account) -> None:
    account.inbound("STOP", sender="+14155550166")
    assert operator.entries("+14155550166") == {}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"from": FRANCISCO, "to": CALLER_ID}, 422, "body"),
        ({"from": "4155551234", "to": CALLER_ID, "body": "STOP"}, 400, "from"),
        ({"from": FRANCISCO, "to": "x", "body": "STOP"}, 400, "to"),
        ({"from": FRANCISCO, "to": CALLER_ID, "body": 5}, 400, "body"),
        ({"from": FRANCISCO, "to": CALLER_ID, "body": "STOP", "media": 1}, 422, "media"),
        ({"from": FRANCISCO, "to": CALLER_ID, "body": "x" * 10_001}, 422, "body"),
    ],
)
def test_what_cannot_be_used_is_named(
    account: Account, body: dict[str, object], status: int, field: str
) -> None:
    assert field in reasons(account.send("POST", PATH, body), status)


def test_an_idempotency_key_answers_the_first_again(account: Account) -> None:
    """Otherwise a message that a carrier delivers twice would undo an opt-in that came between."""
    stop = {"from": FRANCISCO, "to": CALLER_ID, "body": "STOP"}
    headers = {"Idempotency-Key": '"SM1"'}
    first = account.send("POST", PATH, stop, headers=headers)
    account.inbound("START")
    again = account.send("POST", PATH, stop, headers=headers)
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")
    assert account.entries() == {}


def test_many_at_once_make_one_entry(account: Account) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: account.inbound("STOP")["action"], range(16)))
    assert taken == ["opt_out"] * 16
    assert account.entries() == {"all": "opt_out"}


# -- a carrier's form --------------------------------------------------------------------------------


def form(account: Account, sent: dict[str, str] | str, path: str = PATH, **headers: str) -> Answer:
    body = sent if isinstance(sent, str) else urlencode(sent)
    return account.send("POST", path, body.encode(), headers={"Content-Type": FORM, **headers})


MESSAGE = {"MessageSid": "SM1", "From": FRANCISCO, "To": CALLER_ID, "Body": "Stop please", "NumMedia": "0"}


def test_a_form_is_taken_with_the_key_as_bearer_or_as_the_password(account: Account) -> None:
    assert form(account, MESSAGE).json()["action"] == "opt_out"
    basic = base64.b64encode(f"callgate:{account.key}".encode()).decode()
    answer = form(account, MESSAGE, Authorization=f"Basic {basic}")
    assert (answer.status, answer.json()["keyword"]) == (200, "STOP")
    assert account.entries() == {"all": "opt_out"}


def test_a_carrier_that_sends_no_credentials_is_asked_for_them(account: Account) -> None:
    """RFC 7617: the credentials of a URL are sent when the first request is answered with a challenge."""
    answer = account.service.request(
        "POST", PATH, urlencode(MESSAGE).encode(), headers={"Content-Type": FORM}
    )
    assert answer.status == 401
    assert "Basic realm=" in answer.headers["www-authenticate"]
    elsewhere = account.service.request("GET", "/v1/pools")
    assert elsewhere.headers["www-authenticate"] == "Bearer"


def test_basic_is_for_carriers_only(account: Account) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(f"x:{account.key}".encode()).decode()}
    assert account.service.request("GET", "/v1/pools", headers=basic).status == 401
    for wrong in ("Basic", "Basic ???", "Basic " + base64.b64encode(b"cg_nokey").decode(), "Digest x"):
        answer = account.service.request(
            "POST", PATH, b"", headers={"Content-Type": FORM, "Authorization": wrong}
        )
        assert answer.status == 401, wrong


def test_a_form_that_lacks_a_field_or_is_none_is_refused(account: Account) -> None:
    assert set(reasons(form(account, {"Body": "STOP"}), 422)) == {"From", "To"}
    assert set(reasons(form(account, ""), 422)) == {"From", "To", "Body"}
    assert form(account, "From=%FF&To=x&Body=y").status == 400
    assert account.send("POST", PATH, b"<x/>", headers={"Content-Type": "text/xml"}).status == 415


def test_a_carrier_s_key_hands_in_messages_and_can_do_nothing_else(account: Account) -> None:
    keeper = account.with_scopes("suppressions:read", "suppressions:write", "consents:write")
    assert keeper.send("POST", PATH, {}).json()["scope"] == "inbound:write"
    carrier = account.with_scopes("inbound:write")
    assert form(carrier, MESSAGE).json()["action"] == "opt_out"
    number = f"/v1/suppressions/{FRANCISCO}"
    given = {"kind": "express", "channels": ["sms"], "given_at": "2026-01-01", "evidence": "a form"}
    for method, path, body in (
        ("DELETE", number, None),
        ("PUT", number, {"expires_at": "2199-01-01T00:00:00Z"}),
        ("GET", number, None),
        ("PUT", f"/v1/consents/{FRANCISCO}", given),
        ("DELETE", f"/v1/consents/{FRANCISCO}", None),
        ("GET", f"/v1/consents/{FRANCISCO}", None),
        ("POST", "/v1/suppressions", {"number": FRANCISCO}),
        ("POST", "/v1/suppressions/lookup", {"numbers": [FRANCISCO]}),
        ("GET", "/v1/intents", None),
        ("GET", "/v1/api-keys", None),
        ("GET", "/v1/pools", None),
    ):
        assert carrier.send(method, path, body).status == 403, (method, path)
    assert account.entries()


def test_the_carrier_s_own_reading_counts_where_ours_sees_nothing(account: Account) -> None:
    answer = form(account, {**MESSAGE, "Body": "Schluss", "OptOutType": "STOP"})
    assert answer.json()["action"] == "opt_out"
    entry = account.get(f"/v1/suppressions/{FRANCISCO}").json()["entries"][0]
    assert entry["reason"] == "Schluss"
    answer = form(account, {**MESSAGE, "Body": "please stop texting me", "OptOutType": "HELP"})
    assert answer.json()["action"] == "opt_out", "in doubt, the person is left alone"


def test_a_start_that_a_carrier_delivers_again_does_not_lift_the_stop_that_followed_it(
    account: Account,
) -> None:
    start = {**MESSAGE, "MessageSid": "SM" + "0a" * 16, "Body": "START"}
    stop = {**MESSAGE, "MessageSid": "SM" + "0b" * 16}
    for each in (start, stop, start):
        assert form(account, each).status == 200
    assert account.entries() == {"all": "opt_out"}
    # An id that is none of Twilio's says nothing: what is made up may stand for many messages.
    assert form(account, {**MESSAGE, "Body": "START"}).status == 200
    assert account.entries() == {}
    assert form(account, MESSAGE).status == 200
    assert account.entries() == {"all": "opt_out"}


def test_a_carrier_is_answered_in_its_own_words_when_it_asks(account: Account) -> None:
    account.policy(inbound={"help_reply": "Call <us> & ask"})
    answer = form(account, {**MESSAGE, "Body": "HELP"}, PATH + "?answer=twiml")
    assert answer.headers["content-type"].startswith("text/xml")
    assert ElementTree.fromstring(answer.body).findtext("Message") == "Call <us> & ask"
    answer = form(account, {**MESSAGE, "Body": "See you"}, PATH + "?answer=twiml")
    assert list(ElementTree.fromstring(answer.body)) == []


def test_a_message_that_was_refused_leaves_its_idempotency_key_free(account: Account) -> None:
    account.policy(inbound={"webhook_secret": SECRET})
    key = {"Idempotency-Key": "SM2"}
    assert form(account, MESSAGE, **key).status == 403
    right = signed_by_hand(SECRET, account.service.base_url + PATH, MESSAGE)
    assert form(account, MESSAGE, **key, **{"X-Twilio-Signature": right}).status == 200


def signed_by_hand(secret: str, url: str, fields: dict[str, str]) -> str:
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()


def test_with_a_secret_a_form_must_be_signed_and_the_secret_is_never_answered(account: Account) -> None:
    policy = account.policy(inbound={"webhook_secret": SECRET})
    assert policy["inbound"]["has_webhook_secret"] is True
    assert SECRET not in str(account.get("/v1/policy").body)
    unsigned = form(account, MESSAGE)
    assert (unsigned.status, unsigned.json()["code"]) == (403, "FORBIDDEN")
    url = account.service.base_url + PATH
    wrong = signed_by_hand("another secret", url, MESSAGE)
    assert form(account, MESSAGE, **{"X-Twilio-Signature": wrong}).status == 403
    elsewhere = signed_by_hand(SECRET, "https://acme.example" + PATH, MESSAGE)
    assert form(account, MESSAGE, **{"X-Twilio-Signature": elsewhere}).status == 403
    altered = signed_by_hand(SECRET, url, {**MESSAGE, "From": "+14155550199"})
    assert form(account, MESSAGE, **{"X-Twilio-Signature": altered}).status == 403
    assert account.entries() == {}
    right = signed_by_hand(SECRET, url, MESSAGE)
    assert form(account, MESSAGE, **{"X-Twilio-Signature": right}).status == 200
    assert account.entries() == {"all": "opt_out"}


def test_the_query_is_signed_and_the_credentials_may_be(account: Account) -> None:
    account.policy(inbound={"webhook_secret": SECRET})
    path = PATH + "?from=web%20hook&x"
    port = account.service.port
    url = f"http://callgate:{account.key}@127.0.0.1:{port}{path}"
    basic = base64.b64encode(f"callgate:{account.key}".encode()).decode()
    sent = {**MESSAGE, "Body": "arrêt — stop & go?"}
    headers = {"X-Twilio-Signature": signed_by_hand(SECRET, url, sent), "Authorization": f"Basic {basic}"}
    assert form(account, sent, path, **headers).status == 200
    assert form(account, sent, PATH, **headers).status == 403


def test_the_secret_stays_until_it_is_taken_away(account: Account) -> None:
    account.policy(inbound={"webhook_secret": SECRET})
    account.policy(**account.get("/v1/policy").json())
    assert form(account, MESSAGE).status == 403
    assert account.policy(inbound={"webhook_secret": None})["inbound"]["has_webhook_secret"] is False
    assert form(account, MESSAGE).status == 200


def test_the_url_is_that_of_the_settings_not_of_the_request(start_service: object) -> None:
    service: RunningService = start_service(public_url="https://gate.example:443")  # type: ignore[operator]
    account = Account(service, service.key)
    account.policy(inbound={"webhook_secret": SECRET})
    for url, status in (
        ("https://gate.example", 200),
        ("https://gate.example:443", 200),
        (service.base_url, 403),
        ("http://gate.example", 403),
    ):
        headers = {"X-Twilio-Signature": signed_by_hand(SECRET, url + PATH, MESSAGE)}
        assert form(account, MESSAGE, **headers).status == status, url


def test_the_published_example_of_a_signature() -> None:
    """The example of Twilio's own documentation, with the auth token 12345."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = [
        ("Digits", "1234"), ("To", "+18005551212"), ("From", "+12349013030"), ("Caller", "+12349013030"),
        ("CallSid", "CA1234567890ABCDE"),
    ]  # fmt: skip
    assert signature("12345", url, fields) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert is_signed("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", "12345", url, None, fields)
    assert not is_signed("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", "12346", url, None, fields)
    assert not is_signed("é", "12345", url, None, fields)
