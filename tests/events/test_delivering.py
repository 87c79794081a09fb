"""Who delivers is alone in it, and a webhook's events are worked through in order: on a real Postgres, without HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.events import store as events
from app.events.event_types import Event
from app.intents.upkeep.maintain import tidy
from app.platform.postgres.database import Database
from app.webhooks import delivery_store as deliveries
from app.webhooks import store as webhooks
from app.webhooks.delivery_store import Due, Hold, NotHeld, Result
from app.webhooks.send_event import Sender, Told
from app.webhooks.tell_batch import Batch, tell_batch
from app.webhooks.verdict import TRIED_FOR, next_wait_seconds, rest_seconds
from tests.intents.conftest import Decider

ACCOUNT = uuid.uuid4()
WEBHOOK = uuid.uuid4()
LONG, PAST = timedelta(seconds=30), timedelta(seconds=-1)
ALL_OF_IT: dict[str, Any] = {
    "position": 0,
    "failures": 0,
    "error": None,
    "rest": None,
    "gone": False,
    "tried_for": TRIED_FOR,
}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with one webhook and an event."""
    opened = Database(database_url)
    async with opened.begin() as connection:
        await webhooks.add(
            connection, ACCOUNT, "crm", webhook_id=WEBHOOK, url="https://a.example/", events=["lease.expired"],
            enabled=True, secret=b"s" * 32, now=utc_now(),
        )  # fmt: skip
        await events.write(connection, ACCOUNT, "lease.expired", "a", utc_now(), {"pool": "default"})
    await events.place_new(opened)
    yield opened
    await opened.close()


async def held_by(database: Database, held_for: timedelta) -> Hold | None:
    async with database.begin() as connection:
        return await deliveries.hold(connection, ACCOUNT, "crm", held_for)


async def test_one_delivers_at_a_time_and_who_was_too_slow_writes_nothing(database: Database) -> None:
    async with database.begin() as connection:
        assert await deliveries.due_webhooks(connection, 5) == [(ACCOUNT, "crm")]
    slow = await held_by(database, LONG)
    assert slow is not None
    assert await held_by(database, LONG) is None
    async with database.begin() as connection:
        assert await deliveries.due_webhooks(connection, 5) == []
        assert await deliveries.renew(connection, slow, PAST)
    fast = await held_by(database, LONG)
    assert fast is not None
    assert fast.fence == slow.fence + 1
    async with database.begin() as connection:
        assert not await deliveries.renew(connection, slow, LONG)
        (due,) = await deliveries.new_events(connection, slow, 0, TRIED_FOR, 5)
        results = [deliveries.Result(due.event, "delivered", 1, None, True, 204, None)]
        with pytest.raises(NotHeld):
            await deliveries.write_down(connection, slow, results, **ALL_OF_IT)
        await deliveries.let_go(connection, slow)
    assert await held_by(database, LONG) is None
    async with database.begin() as connection:
        await deliveries.write_down(
            connection, fast, results, **{**ALL_OF_IT, "position": due.event.position}
        )
        assert await deliveries.backlog(connection) == 0
        await webhooks.remove(connection, ACCOUNT, "crm")
        with pytest.raises(NotHeld):
            await deliveries.write_down(connection, fast, results, **ALL_OF_IT)


_MANY_WAIT = text(
    """
    INSERT INTO webhook_deliveries (account_id, position, webhook_id, subject, status, attempts, next_at, until)
    SELECT :account, :first + n, :webhook, 'n' || n % 300, CASE WHEN n % 5 < 2 THEN 'delivered' ELSE 'waiting' END, 1,
           NULL, now() + interval '1 day' FROM generate_series(0, :many - 1) AS n
    """
)


async def test_what_is_told_is_written_down_however_much_waits_since_it_was_planned(
    database: Database, database_url: str
) -> None:
    """A connection keeps its plans: made while little waited, they would outlast a backlog, a crash above all."""
    given = {"account": ACCOUNT, "webhook": WEBHOOK}
    held = await held_by(database, timedelta(seconds=60))
    assert held is not None
    subjects, now = [f"n{n}" for n in range(300)], utc_now()
    told = [
        Event(500 + n, uuid.uuid4(), "lease.expired", each, now, now, {}) for n, each in enumerate(subjects)
    ]
    results = [Result(event, "delivered", 1, None, True, 200, None) for event in told]
    stand = ALL_OF_IT | {"position": 1}
    one = Database(database_url, pool_size=1)
    async with one.begin() as connection:
        await deliveries.write_down(connection, held, results, **stand)
    async with database.bulk.begin() as connection:  # no deadline of a request's
        await connection.execute(_MANY_WAIT, {**given, "first": 1, "many": 3})
        await connection.execute(_MANY_WAIT, {**given, "first": 1000, "many": 100_000})
    async with one.begin() as connection:
        first = await deliveries.first_waiting(connection, held, [*subjects, "of nobody"])
    assert first == {f"n{n}": 1000 + n for n in range(300) if n % 5 >= 2} | {"n2": 3}
    async with one.begin() as connection:
        await deliveries.write_down(connection, held, results, **stand)
        due = text("SELECT position FROM webhook_deliveries WHERE next_at IS NOT NULL AND status = 'waiting'")
        assert {row[0] for row in await connection.execute(due)} == set(first.values())
    await one.close()


async def test_what_is_past_its_retention_goes_with_its_deliveries(decider: Decider) -> None:
    database = decider.services.database
    async with database.begin() as connection:
        for subject in ("old", "new"):
            await events.write(connection, ACCOUNT, "lease.expired", subject, utc_now(), {})
    await events.place_new(database)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE events SET recorded_at = now() - interval '31 days' WHERE subject = 'old'")
        )
        await connection.execute(
            text(
                "INSERT INTO webhook_deliveries (account_id, position, webhook_id, subject, status, attempts, until)"
                " SELECT account_id, position, gen_random_uuid(), subject, 'dead', 9, now() FROM events"
                " WHERE account_id = :account"
            ),
            {"account": ACCOUNT},
        )
    await tidy(decider.services)
    async with database.begin() as connection:
        for table in ("events", "webhook_deliveries"):
            left = await connection.execute(
                text(f"SELECT subject FROM {table} WHERE account_id = :account"), {"account": ACCOUNT}
            )
            assert [row[0] for row in left] == ["new"]


# Batches, against a receiver that is a table of answers.

HELD = Hold(ACCOUNT, "crm", WEBHOOK, 1, "https://a.example/", frozenset({"lease.expired"}), (b"s",), 0, 0)


class Answers(Sender):
    """Answers by the subject, and remembers what it was told."""

    def __init__(self, **by_subject: int | None) -> None:
        self.by_subject, self.told = by_subject, list[str]()

    async def tell(self, url: str, document: dict[str, Any], sent_at: int, signed_with: Any) -> Told:
        """As the table says; 204 for others, None for no answer at all."""
        name = document["data"]["name"]
        self.told.append(name)
        answered = self.by_subject.get(name[0], 204)
        return Told(answered == 204, answered, None if answered == 204 else "no", answered == 410)


def due(name: str, position: int, *, expired: bool = False, attempts: int = 0) -> Due:
    """An event whose subject is the first letter of its name."""
    now = utc_now()
    event = Event(position, uuid.uuid4(), "lease.expired", name[0], now, now, {"name": name})
    return Due(event, attempts, expired)


async def told(
    sender: Answers, *new: Due, again: list[Due] | None = None, blocked: str = "", held: Hold = HELD
) -> Batch:
    def now() -> datetime:
        return utc_now()

    return await tell_batch(
        sender, held, again or [], new, set(blocked), first_seconds=5, now=now, holds=lambda: True
    )


def stands(batch: Batch) -> dict[str, tuple[str, int, bool]]:
    """Of each event its status, its tries, and whether it has a time for the next."""
    return {
        str(result.event.data["name"]): (result.status, result.attempts, result.wait is not None)
        for result in batch.results
    }


async def test_behind_a_failure_stands_its_subject_and_no_other() -> None:
    sender = Answers(b=500)
    batch = await told(
        sender, due("a1", 1), due("b1", 2), due("b2", 3), due("a2", 4), due("c1", 5), blocked="c"
    )
    assert sorted(sender.told) == ["a1", "a2", "b1"]
    assert stands(batch) == {
        "a1": ("delivered", 1, False),
        "a2": ("delivered", 1, False),
        "b1": ("waiting", 1, True),
        "b2": ("waiting", 0, False),
        "c1": ("waiting", 0, False),
    }
    assert (batch.position, batch.failures, batch.rest) == (5, 0, None)


async def test_what_nothing_reaches_rests_and_nothing_is_written() -> None:
    sender = Answers(a=None, b=503, c=None)
    batch = await told(sender, due("a1", 1), due("b1", 2), due("c1", 3), due("c2", 4))
    assert (batch.position, batch.failures, stands(batch)) == (0, 1, {})
    assert batch.rest is not None
    assert timedelta(seconds=4) <= batch.rest <= timedelta(seconds=6)


async def test_a_receiver_that_answers_is_not_away_however_little_it_takes() -> None:
    batch = await told(Answers(a=500, b=400, c=500), due("a1", 1), due("b1", 2), due("c1", 3))
    assert (batch.position, batch.failures, batch.rest, len(batch.results)) == (3, 0, None, 3)


async def test_one_that_rested_is_asked_with_a_few_and_told_all_when_it_is_back() -> None:
    resting = replace(HELD, failures=4)
    new = [due(f"{letter}1", place) for place, letter in enumerate("abcdefgh", 1)]
    still = await told(sender := Answers(**dict.fromkeys("abcdefgh")), *new, held=resting)
    assert (sorted(sender.told), still.failures, still.position) == (["a1", "b1"], 5, 0)
    back = await told(Answers(), *new, held=resting)
    assert (back.failures, back.position, len(back.results)) == (0, 2, 2)


async def test_after_three_days_a_failure_is_the_last_and_what_is_behind_goes_on() -> None:
    batch = await told(Answers(a=500), due("a1", 1, expired=True), again=[due("b0", 0, expired=True)])
    assert stands(batch) == {"a1": ("dead", 1, False), "b0": ("delivered", 1, False)}
    away = await told(
        Answers(**dict.fromkeys("abc")), due("a1", 1, expired=True), due("b1", 2, expired=True), due("c1", 3)
    )
    assert stands(away) == {"a1": ("dead", 1, False), "b1": ("dead", 1, False)}
    assert away.position == 2


async def test_gone_ends_it_and_loses_nothing() -> None:
    batch = await told(Answers(a=410), due("a1", 1), due("a2", 2))
    assert batch.gone
    assert stands(batch) == {"a1": ("waiting", 1, True), "a2": ("waiting", 0, False)}


def test_waits_grow_to_half_a_day_and_rests_to_five_minutes_and_are_spread() -> None:
    middle = [next_wait_seconds(tries, 5, 0.5) for tries in range(1, 12)]
    assert middle[:4] == [5, 15, 45, 135]
    assert middle[-1] == 12 * 3600
    assert sum(middle) < 3 * 86_400 < sum(next_wait_seconds(tries, 5, 0.5) for tries in range(1, 18))
    assert (next_wait_seconds(1, 5, 0), next_wait_seconds(1, 5, 1)) == pytest.approx((4, 6))
    assert [rest_seconds(failures, 5, 0.5) for failures in (1, 2, 3, 99)] == [5, 10, 20, 300]
