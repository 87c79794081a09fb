"""No wish is lost for what stands around it: NULs, halves of characters, odd ids, and others that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.policy.account import FRANCISCO, Account
from tests.replies.carriers import FORM, NAMES, PATH, Carriers, Sent
from tests.service import Answer

OAKLAND = "+15105550123"


def post(account: Account, sent: Sent) -> Answer:
    """The webhook as it arrives."""
    return account.service.request("POST", sent.path, sent.body, headers=dict(sent.headers))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "body", ["STOP\x00", "\x00STOP", "stop\x1f", "STOP " * 900 + "STOP", "STOP \U0001f6d1"]
)
def test_a_stop_beside_odd_characters_is_one(
    account: Account, carriers: Carriers, name: str, body: str
) -> None:
    assert post(account, carriers.sent(name, FRANCISCO, body, "m-1")).status == 200
    assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize("name", ["twilio_json", "telnyx", "vonage", "sinch", "bandwidth"])
@pytest.mark.parametrize("half", ["\ud83d"])
def test_a_stop_beside_half_a_character_is_one(
    account: Account, carriers: Carriers, name: str, half: str
) -> None:
    assert post(account, carriers.sent(name, FRANCISCO, f"STOP {half}", "m-1")).status == 200
    assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ids", [("", ""), (" ", " "), ("x" * 128 + "1", "x" * 128 + "2")])
def test_messages_without_an_id_of_their_own_are_never_taken_for_one(
    account: Account, carriers: Carriers, name: str, ids: tuple[str, str]
) -> None:
    first, second = ids
    assert post(account, carriers.sent(name, FRANCISCO, "STOP", first)).status == 200
    assert post(account, carriers.sent(name, OAKLAND, "STOP", second)).status == 200
    for number in (FRANCISCO, OAKLAND):
        assert account.entries(number) == {"all": "opt_out"}, number


def test_a_message_without_any_id_is_taken(account: Account, carriers: Carriers) -> None:
    """Bandwidth's proof does not cover the body, so that one can be left out here."""
    sent = carriers.sent("bandwidth", FRANCISCO, "STOP", "m-1")
    events: list[Any] = json.loads(sent.body)
    del events[0]["message"]["id"]
    again = Sent(sent.path, json.dumps(events).encode(), sent.headers)
    assert post(account, again).status == 200
    assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize(
    "broken",
    [
        5,
        {"type": "message-received"},
        {"type": "message-received", "message": {"text": "STOP"}},
        {"type": "message-received", "message": {"from": FRANCISCO, "text": 5}},
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_one_event_that_cannot_be_read_does_not_keep_its_neighbours_out(
    account: Account, carriers: Carriers, broken: object, last: bool
) -> None:
    sent = carriers.sent("bandwidth", FRANCISCO, "STOP", "m-1")
    events: list[Any] = json.loads(sent.body)
    events.insert(len(events) if last else 0, broken)
    assert post(account, Sent(sent.path, json.dumps(events).encode(), sent.headers)).status == 422
    assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize(
    "charset", ["undefined", "utf-8", "x-user-defined", "idna", "", '"', "unicode_escape"]
)
def test_whatever_a_form_says_of_its_characters_it_is_read_as_utf_8(account: Account, charset: str) -> None:
    form = b"From=%2B14155550123&To=%2B12125550100&Body=STOP%00"
    headers = {"Content-Type": f"{FORM}; charset={charset}", "Authorization": f"Bearer {account.key}"}
    answer = account.service.request("POST", PATH, form, headers=headers)
    assert answer.status == 200, answer.body
    assert answer.json()["action"] == "opt_out"


@pytest.mark.parametrize("path", ["/connectors/dnc-scrub", "/console/sign-in"])
@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "x-user-defined", "utf-16", "zlib"])
def test_no_characters_of_a_form_are_a_defect_of_ours(account: Account, path: str, charset: str) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="phoneList"\r\n\r\n\xff2125551234\r\n--x--\r\n'
    headers = {
        "Content-Type": f"multipart/form-data; boundary=x; charset={charset}",
        "Authorization": f"Bearer {account.key}",
    }
    answer = account.service.request("POST", path, part, headers=headers)
    assert answer.status < 500, answer.body
