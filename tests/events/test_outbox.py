"""What happens is an event: with its change, in order, each once by cursor."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.clock import utc_now
from app.events.store import page, place_new
from app.intents.upkeep.maintain import tidy
from app.platform.postgres.database import Database
from tests.contract.dialler import Dialler, new_account
from tests.contract.streams import ended, imported, upload
from tests.intents.conftest import Decider
from tests.service import RunningService

NUMBER, OTHER = "+14155550171", "+14155550172"
TYPES = ("opt_out.recorded", "suppression.added")


def events(dialler: Dialler, query: str = "") -> list[dict[str, Any]]:
    answer = dialler.get(f"/v1/events?{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def told(dialler: Dialler, query: str = "") -> list[tuple[str, object]]:
    """Type and number of each event but those of keys."""
    return [
        (event["type"], event["data"].get("number"))
        for event in events(dialler, query)
        if not event["type"].startswith("key.")
    ]


def test_what_happens_to_a_number_is_told_in_order(dialler: Dialler) -> None:
    assert dialler.post("/v1/suppressions", {"number": NUMBER, "reason": "asked us to"}).status == 201
    given = {"kind": "express", "channels": ["call"], "given_at": "2026-01-05T12:00:00Z", "evidence": "form"}
    assert dialler.put(f"/v1/consents/{OTHER}", given).status == 201
    assert dialler.post("/v1/inbound-messages", {"from": OTHER, "to": NUMBER, "body": "STOP"}).status == 200
    assert dialler.post("/v1/inbound-messages", {"from": OTHER, "to": NUMBER, "body": "START"}).status == 200
    assert dialler.delete(f"/v1/suppressions/{NUMBER}?reason=mistaken").status == 204
    assert told(dialler) == [
        ("suppression.added", NUMBER),
        ("opt_out.recorded", OTHER),
        ("suppression.added", OTHER),
        ("consent.ended", OTHER),
        ("suppression.removed", OTHER),
        ("opt_in.recorded", OTHER),
        ("suppression.removed", NUMBER),
    ]
    first = next(each for each in events(dialler) if each["type"] == "suppression.added")
    assert uuid.UUID(first["id"]).version == 7
    assert first["data"] == {
        "number": NUMBER, "channel": "all", "reason": "asked us to", "source": "manual", "expires_at": None,
        "key_id": first["data"]["key_id"],
    }  # fmt: skip


def test_keys_policies_and_imports_are_told_of(dialler: Dialler) -> None:
    made = dialler.with_key("suppressions:read")
    assert dialler.delete(f"/v1/api-keys/{made.key_id}").status == 204
    assert dialler.delete(f"/v1/api-keys/{made.key_id}").status == 204
    assert dialler.put("/v1/policy", {"names": ["Acme"]}).status == 200
    imported(dialler, f"number\n{NUMBER}\n{OTHER}\n".encode())
    found = events(dialler)
    # The account's own first key is the first of its events.
    assert [each["type"] for each in found] == [
        "key.created", "key.created", "key.revoked", "policy.changed", "suppression.added", "suppression.added",
        "import.finished",
    ]  # fmt: skip
    assert found[1]["data"]["key_id"] == found[2]["data"]["key_id"] == made.key_id
    assert found[3]["data"]["version"] == 1
    assert (found[-1]["data"]["added"], found[-1]["data"]["status"]) == (2, "succeeded")
    assert "key" not in found[1]["data"]


def test_a_campaign_that_abandons_too_many_is_told_of_at_each_crossing_once(dialler: Dialler) -> None:
    policy = {"abandonment": {"max": 0.25, "period": "P30D", "action": "warn"}}
    assert dialler.put("/v1/policy", policy).status == 200
    for result in ("answered", "answered", "answered", "answered", "abandoned", "abandoned", "abandoned"):
        call = dialler.approved(campaign="spring")
        assert dialler.post(f"/v1/intents/{call['id']}/outcome", {"result": result}).status == 200
    found = [each for each in events(dialler) if each["type"].startswith("abandonment.")]
    assert [each["type"] for each in found] == ["abandonment.near", "abandonment.exceeded"]
    # One in five is four fifths of a quarter; two in six is more than a quarter.
    assert [each["data"]["rate"] for each in found] == [0.2, 0.333333]
    assert found[0]["data"]["campaign"] == "spring"


def test_a_registry_is_told_to_every_account_when_it_is_loaded(operator: Dialler, dialler: Dialler) -> None:
    name = f"of-events-{uuid.uuid4().hex[:8]}"
    registry = {"kind": "custom", "applies_to": ["call"], "purposes": ["marketing"], "max_age_days": 3000}
    assert operator.put(f"/v1/registries/{name}", registry).status == 201
    path = f"/v1/registries/{name}/versions?version_date=2026-01-01"
    loaded = upload(operator, path, b"+14155550100\n", "text/plain")
    assert ended(operator, loaded.headers["location"])["status"] == "succeeded"
    for each in (operator, dialler):
        found = [
            event
            for event in events(each, "types=registry.loaded&limit=500")
            if event["data"]["registry"] == name
        ]
        assert [event["data"]["version_date"] for event in found] == ["2026-01-01"]
    assert operator.delete(f"/v1/registries/{name}").status == 204


async def test_a_list_that_is_too_old_is_told_of_once(decider: Decider) -> None:
    services = decider.services
    async with services.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO registries (name, kind, applies_to, purposes, max_age_days, active_version_id,"
                " version_date, created_at, updated_at)"
                " VALUES ('old', 'custom', '{call}', '{marketing}', 5, 7, '2020-01-01', now(), now())"
            )
        )
    for _ in range(2):
        await tidy(services)
    while await place_new(services.database):
        pass
    async with services.database.begin() as connection:
        found = await connection.execute(
            text("SELECT data ->> 'registry' FROM events WHERE type = 'registry.stale'")
        )
        assert [row[0] for row in found] == ["old"]


def test_a_key_is_told_of_what_it_may_read_and_of_nothing_else(dialler: Dialler) -> None:
    assert dialler.post("/v1/suppressions", {"number": NUMBER}).status == 201
    reader = dialler.with_key("suppressions:read")
    assert [each["type"] for each in events(reader)] == ["suppression.added"]
    assert reader.get("/v1/events?types=key.created").status == 403
    assert events(reader, "types=opt_out.recorded,suppression.added")
    assert dialler.with_key("intents:write").get("/v1/events").json()["items"] == []
    assert dialler.get("/v1/events?types=nothing.happened").status == 400


def test_events_are_anothers_accounts_business(dialler: Dialler, gate: RunningService) -> None:
    assert dialler.post("/v1/suppressions", {"number": NUMBER}).status == 201
    other = new_account(gate)
    assert [each["type"] for each in events(other)] == ["key.created"]
    mine = events(dialler)[-1]["id"]
    assert other.get(f"/v1/events?after={mine}").status == 422
    assert other.get("/v1/webhooks/crm").status == 404


def test_a_reader_goes_on_by_cursor_and_by_the_last_id(dialler: Dialler) -> None:
    for last in range(5):
        assert dialler.post("/v1/suppressions", {"number": f"+1415555018{last}"}).status == 201
    query, seen = "types=suppression.added&limit=2", []
    page = dialler.get(f"/v1/events?{query}").json()
    while True:
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        page = dialler.get(f"/v1/events?{query}&after={page['next_cursor']}").json()
    assert [each["data"]["number"][-1] for each in seen] == list("01234")
    assert dialler.get(f"/v1/events?{query}&after={seen[-1]['id']}").json()["items"] == []
    assert dialler.post("/v1/suppressions", {"number": "+14155550189"}).status == 201
    after = dialler.get(f"/v1/events?{query}&after={seen[-1]['id']}").json()["items"]
    assert [each["data"]["number"] for each in after] == ["+14155550189"]
    assert dialler.get("/v1/events?after=nonsense").status == 400
    long_gone = "01800000-0000-7000-8000-000000000000"
    assert dialler.get(f"/v1/events?after={long_gone}").status == 410


async def test_a_cursor_misses_nothing_that_commits_late(database_url: str) -> None:
    """Twelve writers whose transactions end in any order, a reader that never looks back: each event once."""
    database = Database(database_url, pool_size=16)
    account = uuid.uuid4()
    seen: list[str] = []
    written: list[str] = []
    writing = asyncio.Event()

    async def write(writer: int) -> None:
        for turn in range(15):
            async with database.begin() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO suppression_events (id, account_id, number, channel, action, at)"
                        " VALUES (gen_random_uuid(), :account, :number, 'all', 'added', :now)"
                    ),
                    {"account": account, "number": f"+1{writer:02}{turn:02}", "now": utc_now()},
                )
                await asyncio.sleep((writer * 7 + turn * 3) % 11 / 100)
            written.append(f"+1{writer:02}{turn:02}")

    async def read() -> None:
        after = 0
        while True:
            done = writing.is_set()
            while await place_new(database):
                pass
            async with database.begin() as connection:
                found = await page(connection, account, TYPES, after, 7)
            seen.extend(event.subject for event in found)
            if found:
                after = found[-1].position
            elif done:
                return
            await asyncio.sleep(0.003)

    readers = [asyncio.create_task(read())]
    await asyncio.gather(*(write(writer) for writer in range(12)))
    writing.set()
    await asyncio.gather(*readers)
    await database.close()
    assert len(seen) == len(set(seen)) == 180
    assert sorted(seen) == sorted(written)
    for writer in range(12):  # each writer's in the order in which they were committed
        assert [each for each in seen if each.startswith(f"+1{writer:02}")] == [
            f"+1{writer:02}{t:02}" for t in range(15)
        ]


@pytest.mark.parametrize("listened", [False, True])
async def test_a_long_import_tells_of_each_number_only_where_somebody_listens(
    database_url: str, listened: bool
) -> None:
    engine = create_async_engine(database_url)
    account = uuid.uuid4()
    async with engine.begin() as connection:
        if listened:
            await connection.execute(
                text("INSERT INTO event_readers VALUES (:account, clock_timestamp())"), {"account": account}
            )
        await connection.execute(
            text(
                "INSERT INTO suppression_events (id, account_id, number, channel, action, at)"
                " SELECT gen_random_uuid(), :account, '+1' || n, 'all', 'added', now()"
                " FROM generate_series(1, 10001) AS n"
            ),
            {"account": account},
        )
        found = await connection.execute(text("SELECT count(*) FROM event_outbox"))
        assert found.scalar_one() == (10001 if listened else 0)
    await engine.dispose()


async def test_what_is_rolled_back_is_told_to_nobody(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO lease_events (account_id, pool, lease_id, event, at)"
                " VALUES (gen_random_uuid(), 'default', gen_random_uuid(), 'expired', now())"
            )
        )
        assert (
            await connection.execute(text("SELECT type FROM event_outbox"))
        ).scalar_one() == "lease.expired"
        await connection.rollback()
        assert (await connection.execute(text("SELECT count(*) FROM event_outbox"))).scalar_one() == 0
    await engine.dispose()
