"""A backlog of events, or one that cannot be read, keeps nobody waiting for what stands behind it."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.events import read_events as reading
from app.events.event_types import Event, event_document
from app.events.read_events import read_events
from app.events.store import place_for
from app.webhooks import change_webhooks, courier
from app.webhooks.destinations import Allowed
from app.webhooks.send_event import Sender
from tests.events.receiver import Receiver
from tests.intents.conftest import Decider

MANY = 12_000
_WAITS_ALONE = text(
    "INSERT INTO webhook_deliveries (account_id, position, webhook_id, subject, status, attempts, next_at, until)"
    " SELECT account_id, 0, id, '0', 'waiting', 0, now(), now() + interval '1 day' FROM webhooks"
    " WHERE account_id = :account"
)


async def test_a_reader_does_not_wait_until_a_long_import_is_put_in_order(
    decider: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes later comes with a later page, in the same order, and each once."""
    monkeypatch.setattr(reading, "PLACED_FOR_SECONDS", 0.0)
    await write_backlog(decider)
    found: list[object] = []
    after, left = 0, []
    while page := await read_events(decider.services, decider.caller, ["suppression.added"], after, 1000):
        left.append(await waiting_for_a_place(decider))
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


async def write_backlog(decider: Decider, first_type: str = "suppression.added", many: int = MANY) -> None:
    async with decider.services.database.bulk.begin() as connection:  # no deadline of a request's
        await connection.execute(
            text(
                "INSERT INTO event_outbox (account_id, type, subject, at, data)"
                " SELECT :account, CASE n WHEN 1 THEN :first ELSE 'suppression.added' END,"
                " n::text, now(), jsonb_build_object('number', n) FROM generate_series(1, :many) AS n"
            ),
            {"account": decider.caller.account_id, "many": many, "first": first_type},
        )


async def waiting_for_a_place(decider: Decider) -> int:
    async with decider.services.database.begin() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM event_outbox"))).scalar_one())


async def test_whoever_changes_a_webhook_or_has_it_told_again_does_not_wait_for_a_long_import(
    decider: Decider, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_webhooks, "PLACED_FOR_SECONDS", 0.0)
    services, caller = decider.services, decider.caller
    allowed = Allowed("127.0.0.1")
    for enabled in (True, False):
        await write_backlog(decider)
        before = await waiting_for_a_place(decider)
        await change_webhooks.put_webhook(
            services,
            caller,
            "crm",
            url=receiver.url,
            events=["suppression.added"],
            enabled=enabled,
            allowed=allowed,
        )
        assert await waiting_for_a_place(decider) >= before - 5000
        before = await waiting_for_a_place(decider)
        since = utc_now() - timedelta(days=1)
        await change_webhooks.redeliver(services, caller, "crm", since, None)
        assert await waiting_for_a_place(decider) == before > 0


async def test_what_stands_in_order_is_told_while_a_long_import_is_still_put_in_order(
    decider: Decider, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "PLACED_FOR_SECONDS", 0.0)
    allowed = Allowed("127.0.0.1")
    await change_webhooks.put_webhook(
        decider.services,
        decider.caller,
        "crm",
        url=receiver.url,
        events=["opt_out.recorded"],
        enabled=True,
        allowed=allowed,
    )
    await write_backlog(decider, "opt_out.recorded", many=10 * MANY)
    watching = asyncio.create_task(
        courier.Courier(decider.services, Sender(allowed), first_retry_seconds=0.1).watch()
    )
    try:
        await asyncio.to_thread(receiver.wait_for, lambda: bool(receiver.taken), 30)
        left = await waiting_for_a_place(decider)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert left > 0


async def test_what_is_asked_for_twice_is_asked_for_as_fast_when_all_of_it_waits(
    decider: Decider, receiver: Receiver
) -> None:
    """Postgres may not know yet how much waits; each request has a transaction's time, or it would be a 503.

    Where it believes in one row that waits, it would go through all of them for each.
    """
    services, caller = decider.services, decider.caller
    await change_webhooks.put_webhook(
        services,
        caller,
        "crm",
        url=receiver.url,
        events=["suppression.added"],
        enabled=True,
        allowed=Allowed("127.0.0.1"),
    )
    async with services.database.begin() as connection:
        await connection.execute(_WAITS_ALONE, {"account": caller.account_id})
        await connection.execute(text("ANALYZE webhook_deliveries"))
    await write_backlog(decider)
    assert not await place_for(services.database, 60)
    async with services.database.begin() as connection:
        await connection.execute(text("UPDATE webhooks SET position = (SELECT max(position) FROM events)"))
    since = utc_now() - timedelta(days=1)
    first = await change_webhooks.redeliver(services, caller, "crm", since, None)
    assert first.queued == change_webhooks.MOST_REDELIVERED
    again = await change_webhooks.redeliver(services, caller, "crm", since, None)
    assert (again.queued, again.after) == (0, first.after)
    rest = await change_webhooks.redeliver(services, caller, "crm", since, again.after)
    assert (rest.queued, rest.after) == (MANY - change_webhooks.MOST_REDELIVERED, None)
