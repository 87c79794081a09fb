"""A receiver that fails at random and goes away, Callgate killed, Postgres killed: each event at least once, in order.

CALLGATE_TEST_EVENTS=100000 makes it the long one: `make test-events`.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.platform.embedded.postgres import USER
from app.platform.postgres.database import is_away
from tests.contract.dialler import new_account
from tests.events.receiver import Receiver, failing, first_of_each
from tests.servers import Servers
from tests.service import PATIENT, RunningService

EVENTS = int(os.environ.get("CALLGATE_TEST_EVENTS", "1500"))
SEED = int(os.environ.get("CALLGATE_TEST_SEED", "7"))
NUMBERS = 300
AT_ONCE = 50
WRITE = (
    "INSERT INTO suppression_events (id, account_id, number, channel, action, reason, at)"
    " SELECT r.id, $1::uuid, r.number, 'all', 'added', r.ordinal, now()"
    " FROM unnest($2::uuid[], $3::text[], $4::text[]) AS r(id, number, ordinal) ON CONFLICT (id) DO NOTHING"
)


class Writer:
    """Writes the events, each transaction until it is certainly there and once only, whatever becomes of Postgres."""

    def __init__(self, servers: Servers, database: str, account_id: str) -> None:
        self._host, self._database, self._account = str(servers.postgres.directory), database, account_id
        self.written = 0

    async def write(self, pace_seconds: float) -> None:
        """All of them, number by number in turn."""
        ordinals: dict[int, int] = defaultdict(int)
        while self.written < EVENTS:
            rows = []
            for at in range(self.written, min(self.written + AT_ONCE, EVENTS)):
                number = at % NUMBERS
                rows.append((uuid.uuid4(), f"+1415555{number:04}", f"{ordinals[number]:06}"))
                ordinals[number] += 1
            await self._until_there(rows)
            self.written += len(rows)
            await asyncio.sleep(pace_seconds)

    async def _until_there(self, rows: list[tuple[uuid.UUID, str, str]]) -> None:
        while True:
            try:
                connection = await asyncpg.connect(
                    host=self._host, user=USER, database=self._database, timeout=5
                )
                try:
                    await connection.execute(WRITE, self._account, *map(list, zip(*rows, strict=True)))
                finally:
                    await connection.close(timeout=1)
                return
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(0.1)


async def harm(
    service: RunningService, servers: Servers, receiver: Receiver, draw: random.Random, left: list[str]
) -> None:
    """One thing after the other dies and comes back, at random moments, until nothing is left to do."""

    def kill_callgate() -> None:
        service.kill()
        service.start()

    def kill_postgres() -> None:
        servers.kill_postgres()
        time.sleep(draw.random())
        servers.start_postgres()

    def kill_receiver() -> None:
        receiver.stop()
        time.sleep(0.5 + draw.random())
        receiver.start()

    harms: dict[str, Callable[[], None]] = {
        "callgate": kill_callgate,
        "postgres": kill_postgres,
        "receiver": kill_receiver,
    }
    while left:
        await asyncio.sleep(0.5 + 1.5 * draw.random())
        await asyncio.to_thread(harms[left.pop(0)])


@pytest.mark.timeout(120 + EVENTS // 20)
async def test_no_event_is_lost_and_each_number_stays_in_order_whoever_is_killed(
    breakable_servers: Servers, start_service: Callable[..., RunningService], database_url: str
) -> None:
    draw = random.Random(SEED)
    settings: dict[str, Any] = {"webhook_allow": "127.0.0.1", "webhook_retry_seconds": 0.05, **PATIENT}
    service = await asyncio.to_thread(lambda: start_service(**settings))
    account = await asyncio.to_thread(new_account, service)
    receiver = Receiver()
    body = {"url": receiver.url, "events": ["suppression.added"]}
    made = await asyncio.to_thread(account.put, "/v1/webhooks/crm", body)
    assert made.status == 201, made.body
    receiver.secret = made.json()["secret"]
    receiver.answering = failing(0.05, SEED)
    database = urlsplit(database_url).path[1:]
    writer = Writer(breakable_servers, database, account.account_id)
    rounds = max(1, EVENTS // 10_000)
    order = [harm for _ in range(rounds) for harm in draw.sample(["callgate", "postgres", "receiver"], 3)]
    began = time.monotonic()
    try:
        await asyncio.gather(
            writer.write(4.0 * AT_ONCE / EVENTS * rounds),
            harm(service, breakable_servers, receiver, draw, list(order)),
        )
        seconds = 60 + EVENTS / 25
        await asyncio.to_thread(receiver.wait_for, lambda: _distinct(receiver) >= EVENTS, seconds)
    finally:
        receiver.stop()
    took = time.monotonic() - began
    taken = first_of_each(receiver.taken)
    print(  # noqa: T201
        f"\n{EVENTS} events to {NUMBERS} numbers in {took:.0f} s, {EVENTS / took:.0f} a second;"
        f" {len(receiver.seen)} sent, {len(receiver.taken)} taken, {len(receiver.taken) - len(taken)} of them again;"
        f" killed: {', '.join(order)}"
    )
    assert len(taken) == EVENTS
    assert receiver.unverified == 0
    by_number: dict[str, list[str]] = defaultdict(list)
    for event in taken:
        by_number[event["data"]["number"]].append(event["data"]["reason"])
    assert len(by_number) == min(NUMBERS, EVENTS)
    assert [number for number, ordinals in by_number.items() if ordinals != sorted(ordinals)] == []


_counted: dict[int, tuple[int, set[str]]] = {}


def _distinct(receiver: Receiver) -> int:
    """How many different events were taken; what was counted before is not looked at again."""
    done, found = _counted.get(id(receiver), (0, set()))
    some = receiver.taken[done:]
    found.update(event["id"] for event in some)
    _counted[id(receiver)] = (done + len(some), found)
    return len(found)
