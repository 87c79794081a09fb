"""A backlog of events, or one that cannot be read, keeps nobody waiting for what stands behind it."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.events import read_events as reading
from app.events.event_types import Event, event_document
from app.events.read_events import read_events
from tests.intents.conftest import Decider

MANY = 12_000


async def test_a_reader_does_not_wait_until_a_long_import_is_put_in_order(
    decider: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes later comes with a later page, in the same order, and each once."""
    monkeypatch.setattr(reading, "PLACED_FOR_SECONDS", 0.0)
    database, account = decider.services.database, decider.caller.account_id
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO event_outbox (account_id, type, subject, at, data) SELECT :account, 'suppression.added',"
                " n::text, now(), jsonb_build_object('number', n) FROM generate_series(1, :many) AS n"
            ),
            {"account": account, "many": MANY},
        )
    found: list[object] = []
    after, left = 0, []
    while page := await read_events(decider.services, decider.caller, ["suppression.added"], after, 1000):
        async with database.begin() as connection:
            left.append((await connection.execute(text("SELECT count(*) FROM event_outbox"))).scalar_one())
        found += [event.data["number"] for event in page]
        after = page[-1].position
    assert left[0] > 0
    assert found == list(range(1, MANY + 1))


@pytest.mark.parametrize(
    "written", ["infinity", "10000-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00 BC"]
)
def test_an_instant_that_cannot_be_read_does_not_hold_up_what_stands_behind_it(written: str) -> None:
    now = utc_now()
    event = Event(1, uuid.uuid4(), "suppression.added", "+14155550171", now, now, {"expires_at": written})
    assert event_document(event)["data"]["expires_at"] == written
