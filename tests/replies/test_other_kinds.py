"""A STOP is one in every kind of message that a carrier passes on: with a picture, chosen, in a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sinch.domains.conversation.models.v1.sinch_events import MessageInboundEvent

from tests.policy.account import FRANCISCO, Account
from tests.replies.carriers import ACCOUNT_NUMBER, Carriers, Sent
from tests.replies.test_carriers import listed, post

DIGITS = FRANCISCO.lstrip("+")
SINCH = [
    {"text_message": {"text": "STOP"}},
    {"media_card_message": {"url": "https://media.example/1.png", "caption": "STOP"}},
    {"choice_response_message": {"message_id": "01EKJ2SW", "postback_data": "STOP"}},
    {"fallback_message": {"raw_message": "STOP"}},
]
VONAGE: list[dict[str, Any]] = [
    {"channel": "rcs", "message_type": "reply", "reply": {"id": "no-more", "title": "STOP"}},
    {"channel": "rcs", "message_type": "button", "button": {"payload": "no-more", "text": "STOP"}},
    {"channel": "whatsapp", "message_type": "reply", "reply": {"id": "STOP"}},
    {
        "channel": "mms",
        "message_type": "image",
        "image": {"url": "https://media.example/1.png", "caption": "STOP"},
    },
]


@pytest.mark.parametrize("kind", ["mms", "whatsapp"])
def test_a_stop_in_the_body_of_plivos_mms_suppresses_its_sender(
    account: Account, carriers: Carriers, kind: str
) -> None:
    sent = carriers.plivo_form(FRANCISCO, "m-1", Type=kind, Body="STOP", MediaCount="1")
    assert post(account, sent).status == 200
    assert account.entries() == {"all": "opt_out"}


def test_a_text_that_plivo_says_twice_is_one(account: Account, carriers: Carriers) -> None:
    for words, message, entries in (("STOP", "m-1", {"all": "opt_out"}), ("START", "m-2", {})):
        sent = carriers.plivo_form(FRANCISCO, message, Type="mms", Text=words, Body=words)
        assert post(account, sent).status == 200
        assert account.entries() == entries


def test_what_plivo_takes_for_an_opt_out_is_one_and_its_opt_in_lifts_nothing(
    account: Account, carriers: Carriers
) -> None:
    for intent, message in (("optout", "m-1"), ("optin", "m-2"), ("", "m-3")):
        sent = carriers.plivo_form(FRANCISCO, message, Type="sms", Text="adios", MessageIntent=intent)
        assert post(account, sent).status == 200
        assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize("said", SINCH, ids=lambda said: next(iter(said)))
@pytest.mark.parametrize("channel", ["SMS", "MMS", "RCS", "WHATSAPP"])
def test_a_stop_in_a_conversation_of_sinchs_suppresses_its_sender(
    account: Account, carriers: Carriers, said: dict[str, Any], channel: str
) -> None:
    sent = carriers.sinch_conversation(DIGITS, "m-1", channel, **said)
    assert MessageInboundEvent.model_validate_json(sent.body).message is not None
    assert post(account, sent).status == 200
    assert account.entries() == {"all": "opt_out"}
    message = listed(account)[0]
    assert (message["from"], message["to"], message["words"]) == (FRANCISCO, ACCOUNT_NUMBER, "STOP")
    assert message["carrier_message_id"] == "m-1"


def test_a_forged_conversation_is_refused(account: Account, carriers: Carriers) -> None:
    forged = carriers.forger().sinch_conversation(DIGITS, "m-1", "SMS", **SINCH[0])
    assert post(account, forged).status == 403
    assert account.entries() == {}


@pytest.mark.parametrize("channel", ["MESSENGER", {}, ["SMS"]], ids=str)
def test_an_identity_that_is_no_number_is_nobodys_number(
    account: Account, carriers: Carriers, channel: Any
) -> None:
    """Messenger knows people by digits that a plus sign would make somebody else's line."""
    sent = carriers.sinch_conversation(DIGITS, "m-1", channel, **SINCH[0])
    answer = post(account, sent)
    assert (answer.status, answer.json()["action"]) == (200, "none")
    assert account.entries() == {}


@pytest.mark.parametrize(
    "members",
    [
        {"message": None},
        {"message": {"direction": "TO_APP", "contact_message": SINCH[0]}},
        {"message": {"contact_message": SINCH[0], "channel_identity": {"channel": "SMS"}}},
    ],
)
def test_a_conversation_without_its_sender_is_told_so(
    account: Account, carriers: Carriers, members: dict[str, Any]
) -> None:
    assert post(account, carriers.sinch_members(members)).status == 422


@pytest.mark.parametrize(
    "members", VONAGE, ids=lambda members: f"{members['channel']}-{members['message_type']}"
)
def test_a_stop_that_was_chosen_or_stands_under_a_picture_suppresses_its_sender(
    account: Account, carriers: Carriers, members: dict[str, Any]
) -> None:
    assert post(account, carriers.vonage_members(FRANCISCO, "m-1", **members)).status == 200
    assert account.entries() == {"all": "opt_out"}
    assert listed(account)[0]["words"] == "STOP"


def test_a_stop_that_was_chosen_over_telnyxs_rcs_suppresses_its_sender(
    account: Account, carriers: Carriers
) -> None:
    body = {"suggestion_response": {"postback_data": "no-more", "text": "STOP"}}
    sent = carriers.telnyx(FRANCISCO, None, "m-1", type="RCS", body=body)
    assert post(account, sent).status == 200
    assert account.entries() == {"all": "opt_out"}


WHATSAPP: list[dict[str, Any]] = [
    {"type": "text", "text": {"body": "STOP"}},
    {"type": "button", "button": {"payload": "no-more", "text": "STOP"}},
    {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "2", "title": "STOP"}},
    },
    {
        "type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"id": "2", "title": "STOP"}},
    },
    {"type": "image", "image": {"id": "1", "caption": "STOP"}},
    {
        "type": "edit",
        "edit": {"original_message_id": "m-0", "message": {"type": "text", "text": {"body": "STOP"}}},
    },
]


@pytest.mark.parametrize(
    "body", WHATSAPP, ids=[f"{place}-{each['type']}" for place, each in enumerate(WHATSAPP)]
)
def test_a_stop_over_telnyxs_whatsapp_suppresses_its_sender(
    account: Account, carriers: Carriers, body: dict[str, Any]
) -> None:
    sent = carriers.telnyx(FRANCISCO, None, "m-1", type="WHATSAPP", to=ACCOUNT_NUMBER, body=body)
    answer = post(account, sent)
    assert (answer.status, answer.json()["action"]) == (200, "opt_out")
    assert account.entries() == {"all": "opt_out"}


@pytest.mark.parametrize(
    "body", [{}, {"text": 7}, {"text": {"body": []}}, {"interactive": "?"}, {"edit": {"message": 1}}]
)
def test_what_says_nothing_over_telnyxs_whatsapp_is_nothing(
    account: Account, carriers: Carriers, body: dict[str, Any]
) -> None:
    answer = post(account, carriers.telnyx(FRANCISCO, None, "m-1", type="WHATSAPP", body=body))
    assert (answer.status, answer.json()["action"]) == (200, "none")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("message-received", {"channel": "RBM", "content": {"text": "STOP"}}),
        (
            "suggestion-response",
            {"channel": "RBM", "suggestionResponse": {"text": "STOP", "postbackData": "bm8="}},
        ),
        ("suggestion-response", {"channel": "RBM", "suggestionResponse": {"postbackData": "U1RPUA=="}}),
    ],
    ids=["written", "chosen", "behind a picture"],
)
def test_a_stop_over_bandwidths_rcs_suppresses_its_sender(
    account: Account, carriers: Carriers, kind: str, said: dict[str, Any]
) -> None:
    sent = carriers.bandwidth(FRANCISCO, None, "m-1", kind, **said)
    assert post(account, sent).status == 200
    assert account.entries() == {"all": "opt_out"}
    assert (listed(account)[0]["words"], listed(account)[0]["from"]) == ("STOP", FRANCISCO)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("suggestion-response", {"suggestionResponse": {"text": "Tell me more", "postbackData": "U1RPUA=="}}),
        ("suggestion-response", {"suggestionResponse": {"postbackData": "no base64"}}),
        ("suggestion-response", {"suggestionResponse": {"postbackData": "/w=="}}),
        ("requested-location-response", {"locationResponse": {"latitude": "1.0", "longitude": "2.0"}}),
    ],
)
def test_what_else_is_chosen_over_bandwidths_rcs_is_no_wish(
    account: Account, carriers: Carriers, kind: str, said: dict[str, Any]
) -> None:
    answer = post(account, carriers.bandwidth(FRANCISCO, None, "m-1", kind, **said))
    assert (answer.status, answer.json()["action"]) == (200, "none")
    assert account.entries() == {}


@pytest.mark.parametrize("words", [None, "", "(picture)", "START"])
@pytest.mark.parametrize("name", ["telnyx", "sinch"])
def test_a_stop_in_the_subject_of_a_picture_suppresses_its_sender(
    account: Account, carriers: Carriers, name: str, words: str | None
) -> None:
    """Telnyx and Sinch pass the subject of an MMS on beside its text; carriers look for their own keywords there."""
    if name == "telnyx":
        sent = carriers.telnyx(
            FRANCISCO, words, "m-1", type="MMS", subject="Stop", media=[{"url": "https://media.example/1"}]
        )
    else:
        body = {"subject": "Stop", "message": words, "media": [{"url": "https://media.example/1"}]}
        sent = carriers.sinch_members(
            {"type": "mo_media", "id": "m-1", "from": DIGITS, "to": ACCOUNT_NUMBER, "body": body}
        )
    answer = post(account, sent)
    assert (answer.status, answer.json()["action"]) == (200, "opt_out")
    assert account.entries() == {"all": "opt_out"}
    assert listed(account)[0]["words"] == "Stop"


@pytest.mark.parametrize("subject", ["NoSubject", "From Telnyx!", "Re: our offer", "START", None, 7])
def test_what_else_stands_over_a_picture_changes_nothing_of_its_text(
    account: Account, carriers: Carriers, subject: Any
) -> None:
    for words, message, entries in (
        ("ARRET", "m-1", {"all": "opt_out"}),
        ("", "m-2", {"all": "opt_out"}),
        ("START", "m-3", {}),
    ):
        sent = carriers.telnyx(FRANCISCO, words, message, type="MMS", subject=subject)
        assert post(account, sent).status == 200
        assert account.entries() == entries


@pytest.mark.parametrize(
    "broken", [None, 7, {"type": "message-received"}, {"type": "message-received", "message": {}}]
)
def test_a_stop_beside_an_event_that_cannot_be_read_is_kept(
    account: Account, carriers: Carriers, broken: Any
) -> None:
    sent = carriers.bandwidth(FRANCISCO, "STOP", "m-1")
    both = Sent(sent.path, json.dumps([broken, *json.loads(sent.body)]).encode(), sent.headers)
    assert post(account, both).status == 422
    assert account.entries() == {"all": "opt_out"}
