"""Every key of a table that grows with the calls leads with the account, so that accounts can be parted over servers.

What a migrated database says of itself is read, and each exception stands here with its reason: a new index that does
not lead with the account is either given it or argued for. docs/scaling.md says what the exceptions mean to an engine
that shards.
"""

from __future__ import annotations

import asyncpg
import pytest

from tests.servers import Servers, run_apart

# What grows with the calls, the people and what is told of them.
HOT = {
    "attempts", "audit_entries", "consents", "decision_counts", "decision_parts", "decisions", "events",
    "idempotency_keys", "inbound_messages", "late_decisions", "lease_events", "leases", "opt_outs", "outcome_days",
    "outcomes", "seal_hours", "seal_leaves", "seal_queue", "seals", "suppression_events", "suppressions",
    "webhook_deliveries",
}  # fmt: skip
# What is small, is the same for all accounts, or is no account's; an engine copies it to every server.
SMALL = {
    "accounts", "alembic_version", "api_keys", "archived_months", "decision_counting", "emergencies", "event_readers",
    "installation", "job_rejects", "jobs", "limits", "policy_versions", "pools", "proclaimed_holidays", "registries",
    "registry_versions", "rule_texts", "seal_keys", "seal_progress", "webhooks",
}  # fmt: skip
# Large, and the same for all accounts: read by number alone, loaded as a whole, copied to every server.
REFERENCE = {"registry_blocks", "reassigned_numbers"}
# A queue between a transaction and upkeep, emptied within a second: it is read in the order of arrival.
QUEUE = {"event_outbox"}

ID = "an id made by the application, unique by itself (UUIDv7), under which no two accounts could have something"
SWEEP = "upkeep's: what has ended in any account; each server sweeps its own"
EXCEPTIONS = {
    "pk_decisions": f"{ID}; months are partitions by it, and a partitioned key holds what it is parted by",
    "pk_leases": ID,
    "pk_attempts": ID,
    "pk_outcomes": ID,
    "pk_consents": ID,
    "pk_inbound_messages": ID,
    "pk_suppression_events": ID,
    "pk_audit_entries": ID,
    "pk_lease_events": "a number that Postgres gives out: a pool's events are read by the account",
    "ix_attempts_at": SWEEP,
    "ix_decision_counts_begins": SWEEP,
    "ix_events_recorded_at": SWEEP,
    "ix_idempotency_keys_expires_at": SWEEP,
    "ix_suppressions_expires_at": SWEEP,
}
INDEXES = """
    SELECT t.relname AS "table", i.relname AS index, x.indisunique AS is_unique,
           (SELECT attname FROM pg_attribute WHERE attrelid = t.oid AND attnum = x.indkey[0]) AS leads,
           EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attname = 'account_id') AS has_account
      FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
     WHERE t.relnamespace = 'public'::regnamespace AND NOT t.relispartition
"""
TABLES = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""


def catalogue(servers: Servers, statement: str) -> list[asyncpg.Record]:
    """What a freshly migrated database says of itself."""
    name = servers.fresh_database()

    async def read() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(
            host=str(servers.postgres.directory), user="callgate", database=name
        )
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    try:
        return run_apart(read())
    finally:
        servers.drop_database(name)


@pytest.fixture(scope="module")
def indexes(servers: Servers) -> list[asyncpg.Record]:
    """Every index and key of every table; of a partitioned one those of the whole."""
    return catalogue(servers, INDEXES)


def test_every_table_is_known_to_grow_or_not(servers: Servers) -> None:
    there = {row["relname"] for row in catalogue(servers, TABLES)}
    assert there == HOT | SMALL | REFERENCE | QUEUE
    assert len(there) == sum(map(len, (HOT, SMALL, REFERENCE, QUEUE)))


def test_every_hot_table_has_the_account_in_its_rows(indexes: list[asyncpg.Record]) -> None:
    assert {row["table"] for row in indexes if row["table"] in HOT and not row["has_account"]} == set()


def test_every_key_and_index_of_a_hot_table_leads_with_the_account(indexes: list[asyncpg.Record]) -> None:
    others = {row["index"] for row in indexes if row["table"] in HOT and row["leads"] != "account_id"}
    assert others == set(EXCEPTIONS)


def test_a_key_that_lacks_the_account_is_an_id_and_nothing_that_two_accounts_could_both_have(
    indexes: list[asyncpg.Record],
) -> None:
    """What must be unique in an account is unique by the account; an engine that shards can hold no other promise."""
    unique = {
        row["leads"]
        for row in indexes
        if row["table"] in HOT and row["is_unique"] and row["leads"] != "account_id"
    }
    assert unique == {"id", "intent_id", "sequence"}


def test_every_hot_table_is_read_by_an_index_that_leads_with_the_account(
    indexes: list[asyncpg.Record],
) -> None:
    led = {row["table"] for row in indexes if row["leads"] == "account_id"}
    # Of one call's end: it is read, joined and overwritten by the intent's id, with the decision.
    assert HOT - led == {"outcomes"}
