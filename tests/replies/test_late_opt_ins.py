"""An opt-in that waited at its carrier: the person's last word counts, in the order in which they said it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.replies.carriers.webhook import sent_at_of
from tests.policy.account import FRANCISCO, Account
from tests.replies.carriers import Carriers
from tests.replies.test_carriers import listed, post


@pytest.mark.parametrize("name", ["telnyx", "vonage", "sinch", "bandwidth"])
def test_a_start_that_its_carrier_brings_after_a_later_stop_lifts_nothing(
    account: Account, carriers: Carriers, name: str
) -> None:
    """We were away when it was sent; its carrier tries again for a day, and the STOP came in between."""
    waited = replace(carriers, said_ago=60)
    for body, message in (("STOP", "m-1"), ("Please stop texting me", "m-3")):
        assert post(account, carriers.sent(name, FRANCISCO, body, message)).status == 200
    answer = post(account, waited.sent(name, FRANCISCO, "START", "m-2"))
    assert answer.status == 200
    assert answer.json() == {"action": "none", "keyword": None, "reply": None}
    assert account.entries() == {"all": "opt_out"}
    assert [message["carrier_message_id"] for message in listed(account)] == ["m-3", "m-1"]
    assert post(account, carriers.sent(name, FRANCISCO, "START", "m-4")).status == 200
    assert account.entries() == {}


def test_a_start_in_a_conversation_that_is_brought_late_lifts_nothing(
    account: Account, carriers: Carriers
) -> None:
    said = {"text_message": {"text": "START"}}
    assert post(account, carriers.sinch(FRANCISCO, "STOP", "m-1")).status == 200
    late = replace(carriers, said_ago=60).sinch_conversation(FRANCISCO, "m-2", "RCS", **said)
    assert post(account, late).json()["action"] == "none"
    assert account.entries() == {"all": "opt_out"}
    assert (
        post(account, carriers.sinch_conversation(FRANCISCO, "m-3", "RCS", **said)).json()["action"]
        == "opt_in"
    )
    assert account.entries() == {}


@pytest.mark.parametrize(
    ("told", "at"),
    [
        (("2026-11-24T12:00:00.250Z",), datetime(2026, 11, 24, 12, 0, 0, 250_000, UTC)),
        (("2026-11-24T12:00:00Z",), datetime(2026, 11, 24, 12, 0, 0, 999_999, UTC)),
        (
            (None, "yesterday", 7, "2026-11-24T13:00:00.5+01:00"),
            datetime(2026, 11, 24, 12, 0, 0, 500_000, UTC),
        ),
        ((None, "yesterday"), None),
    ],
)
def test_when_a_message_was_sent_is_read_as_late_as_it_may_have_been(
    told: tuple[object, ...], at: datetime | None
) -> None:
    assert sent_at_of(*told) == at
