"""Plans are made while tables are small, and must hold when they have grown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.accounts import key_store
from app.intents import facts_store as facts
from app.intents import store as decisions
from app.intents.decision_row import Claim, Decision, LeaseRecord
from app.intents.facts_store import Ask
from app.platform.postgres.database import Database
from app.platform.postgres.prepared_query import PreparedQuery
from app.suppression import lookup_store as number_lookup

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
# Tables that stay small, whatever a customer does.
ALWAYS_SMALL = {"emergencies", "proclaimed_holidays", "registries", "registry_versions"}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database whose tables have a few rows, and have been analysed."""
    database = Database(database_url)
    account = uuid4()
    async with database.begin() as connection:
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'one', now())"), {"id": account}
        )
        await connection.execute(
            text(
                "INSERT INTO suppressions (account_id, number, channel, id, created_at, updated_at)"
                " SELECT :id, '+1415555' || each, 'all', gen_random_uuid(), now(), now()"
                " FROM generate_series(1000, 1020) AS each"
            ),
            {"id": account},
        )
        await connection.execute(text("ANALYZE"))
    yield database
    await database.close()


class _Explaining(Database):
    """Asks for the plan of what it is given, and keeps it."""

    def __init__(self, database: Database) -> None:
        self.database, self.plan = database, ""

    async def fetch(
        self, statement: PreparedQuery, parameters: Mapping[str, Any], *, may_run_twice: bool = False
    ) -> list[Any]:
        """The plan instead of the rows: there are none."""
        explained = PreparedQuery(text("SELECT 1"))
        explained.sql, explained.order = "EXPLAIN " + statement.sql, statement.order
        rows = await self.database.fetch(explained, parameters)
        self.plan = "\n".join(row[0] for row in rows)
        return []


def read_whole(plan: str) -> set[str]:
    """The tables that the plan reads from their first row to their last."""
    return set(re.findall(r"Seq Scan on (\w+)", plan)) - ALWAYS_SMALL


async def test_the_facts_and_the_keys_are_found_by_index(database: Database) -> None:
    explaining = _Explaining(database)
    with pytest.raises(ValueError, match="zip"):
        await facts.gather(
            explaining, [Ask(b"hash", "+14155551001", "default", "spring", "+12125550100")], NOW
        )
    assert "suppressions" in explaining.plan
    assert read_whole(explaining.plan) == set()
    await key_store.gather_keys(explaining, [b"hash"])
    assert "api_keys" in explaining.plan
    assert read_whole(explaining.plan) == set()


@pytest.mark.parametrize("others", [(), ("+541123456789",)])
async def test_a_number_is_found_by_its_whole_key_while_the_account_s_list_is_believed_to_be_short(
    database: Database, others: tuple[str, ...]
) -> None:
    """An account's entries read one by one are right, and slow on the day after a large import."""
    explaining = _Explaining(database)
    ask = Ask(b"hash", "+5491123456789", others=others, other_senders=others)
    with pytest.raises(ValueError, match="zip"):
        await facts.gather(explaining, [ask], NOW)
    for key in ("pk_suppressions", "pk_opt_outs", "ix_consents_account_id_number"):
        assert key in explaining.plan
    for whole in ("ix_suppressions_account_id_id", "ix_opt_outs_account_id_id", "pk_consents"):
        assert whole not in explaining.plan
    assert read_whole(explaining.plan) == set()
    async with database.begin() as connection:
        lookup = text("EXPLAIN " + str(number_lookup._LOOKUP))
        given = {
            "numbers": [ask.number],
            "others": [" ".join(others) or None],
            "account": uuid4(),  # of which the statistics know nothing
            "now": NOW,
        }
        plan = "\n".join(row[0] for row in await connection.execute(lookup, given))
    assert "pk_suppressions" in plan
    assert "account_id_id" not in plan


async def test_a_decision_is_recorded_by_index(database: Database) -> None:
    claim = Claim("intents", "key", uuid4(), 201, {}, b"{}")
    lease = LeaseRecord("default", ("pool:default",), NOW, NOW)
    decision = Decision(
        id=UUID("019a2006-58de-7d17-a78c-feb288bb5492"),
        account_id=uuid4(),
        key_id=uuid4(),
        decided_at=NOW,
        type="call",
        verdict="approved",
        codes=(),
        to_number="+14155551001",
        from_number="+12125550100",
        purpose="marketing",
        campaign=None,
        document={},
        lease=lease,
        claim=claim,
    )
    explaining = _Explaining(database)
    with pytest.raises(KeyError):
        await decisions.record(explaining, [decision])
    assert "idempotency_keys" in explaining.plan
    assert read_whole(explaining.plan) == set()
