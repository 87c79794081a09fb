"""The tables, as Alembic and the queries see them.

Ids are UUIDv7 made by the application. Decisions are partitioned by the month that their id was made in:
a UUIDv7 begins with its instant, so a range of ids is a range of time, the primary key stays the id alone,
and a look-up by id touches one partition.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from migrations.metadata import metadata

INSTANT = DateTime(timezone=True)

installation = Table(
    "installation",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("secret", LargeBinary, nullable=False),  # keys the HMAC under which numbers stand in Redis
    # From when on decisions are divided: not before every process is of a release that can read them.
    Column(
        "decisions_divided_from",
        INSTANT,
        nullable=False,
        server_default=text("'2000-01-01 00:00:00+00'::timestamp with time zone"),
    ),
    CheckConstraint("one", name="one_row"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("is_first", Boolean, nullable=False, server_default=text("false")),
    Column("policy", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("policy_version", Integer, nullable=False, server_default=text("0")),
    # Replies to inbound messages and the carrier's webhook secret: apart from the policy, which every decision
    # reads, so that the secret travels only to where it is used.
    Column("inbound", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    # The life of this account's state in Redis: raised each time it has to be rebuilt from here.
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", INSTANT, nullable=False),
    Index("uq_accounts_is_first", "is_first", unique=True, postgresql_where=text("is_first")),
)

# Every policy that was ever in force: a decision names the version that it was made under.
policy_versions = Table(
    "policy_versions",
    metadata,
    Column("account_id", UUID, ForeignKey("accounts.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("policy", JSONB, nullable=False),
    Column("changed_at", INSTANT, nullable=False),
    Column("changed_by", UUID),
    Column("comment", Text, server_default=text("''"), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the whole key
    Column("scopes", ARRAY(Text), nullable=False),
    # 2: every scope is named. What an earlier release writes arrives as 1, and a trigger adds what was split off.
    Column("scope_edition", SmallInteger, nullable=False, server_default=text("1")),
    Column("is_bootstrap", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT),
    Column("revoked_at", INSTANT),
    Column("last_used_at", INSTANT),  # to the hour
    Index("ix_api_keys_account_id", "account_id"),
)


def _entries() -> tuple[Column[Any], ...]:
    return (
        Column("account_id", UUID, primary_key=True),
        Column("number", Text, primary_key=True),
        Column("channel", Text, primary_key=True),
        Column("id", UUID, nullable=False),
        Column("reason", Text, nullable=False, server_default=text("''")),
        Column("source", Text, nullable=False, server_default=text("'manual'")),
        Column("created_at", INSTANT, nullable=False),
        Column("updated_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT),
        Column("created_by", UUID),
        Column("opted_out_at", INSTANT),  # null for what the account entered itself
        Column("import_id", UUID),  # the job that added it, until somebody else names the number as well
    )


suppressions = Table(
    "suppressions",
    metadata,
    *_entries(),
    CheckConstraint("channel IN ('call', 'sms', 'all')", name="channel"),
    Index("ix_suppressions_account_id_id", "account_id", "id"),
    Index("ix_suppressions_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
)

# What people asked for themselves, which who reads suppressions reads with it: see app.suppression.opt_out_store.
opt_outs = Table(
    "opt_outs",
    metadata,
    *_entries(),
    CheckConstraint("opted_out_at IS NOT NULL AND expires_at IS NULL", name="is_a_wish"),
    Index("ix_opt_outs_account_id_id", "account_id", "id"),
)

suppression_events = Table(
    "suppression_events",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("number", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("source", Text, nullable=False, server_default=text("''")),
    Column("key_id", UUID),
    Column("at", INSTANT, nullable=False),
    Column("expires_at", INSTANT),
    CheckConstraint("action IN ('added', 'changed', 'removed', 'expired')", name="action"),
    Index("ix_suppression_events_account_id_number_id", "account_id", "number", "id"),
)

pools = Table(
    "pools",
    metadata,
    Column("account_id", UUID, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("capacity", Integer, nullable=False),
    Column("calls_per_second", Integer),
    Column("burst", Integer),
    Column("reserve", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("updated_at", INSTANT, nullable=False),
    CheckConstraint("capacity BETWEEN 0 AND 1000000", name="capacity"),
)

# Limits beside the pools: account, campaign:NAME, sender:+1212…
limits = Table(
    "limits",
    metadata,
    Column("account_id", UUID, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("capacity", Integer),
    Column("messages_per_second", Integer),
    Column("messages_per_day", Integer),
    Column("updated_at", INSTANT, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("key_id", UUID, nullable=False),
    Column("decided_at", INSTANT, nullable=False),
    Column("type", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("code", Text),  # of the first violation, in the order of precedence
    Column("codes", ARRAY(Text), nullable=False),
    Column("to_number", Text, nullable=False),
    Column("from_number", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("campaign", Text),
    Column("document", JSONB, nullable=False),  # checks, violations, versions, request
    # Of a decision that was divided (null: it was not): what it is made of besides ``document``, and what fills the
    # gaps of those parts, as a list in JSON. See app.intents.parts.divide.
    Column("parts", ARRAY(UUID)),
    Column("filled", Text),
    CheckConstraint("verdict IN ('approved', 'blocked', 'void')", name="verdict"),
    Index("ix_decisions_account_id_id", "account_id", "id"),
    Index("ix_decisions_account_id_to_number_id", "account_id", "to_number", "id"),
    postgresql_partition_by="RANGE (id)",
)

# What repeats in decisions, by the hash of its text. Only ever grows: a trigger refuses every other change.
decision_parts = Table(
    "decision_parts",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("digest", UUID, primary_key=True),
    Column("part", Text, nullable=False),
)

# Months whose decisions were moved out of here, each into a file. See app.intents.archive.
archived_months = Table(
    "archived_months",
    metadata,
    Column("month", Date, primary_key=True),
    Column("file", Text, nullable=False),  # its name in CALLGATE_ARCHIVE_DIRECTORY
    Column("decisions", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 over the decisions in the file's order
    Column("file_bytes", BigInteger, nullable=False),
    Column("file_sha256", LargeBinary, nullable=False),
    Column("archived_at", INSTANT, nullable=False),
)

# Decisions by hour, day and month (UTC), counted by upkeep. ``named`` false: those of values that came when a month
# had named as many as it may.
decision_counts = Table(
    "decision_counts",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("span", Text, primary_key=True),
    Column(
        "subject", Text, primary_key=True
    ),  # what it is counted by: verdict, code, type, campaign, pool, key
    Column("begins", INSTANT, primary_key=True),
    Column("named", Boolean, primary_key=True),
    Column("value", Text, primary_key=True),  # empty for none
    Column("decisions", BigInteger, nullable=False),
    CheckConstraint("span IN ('hour', 'day', 'month')", name="span"),
    Index("ix_decision_counts_value", "account_id", "span", "subject", "value", "begins"),
    Index("ix_decision_counts_begins", "begins"),
)

# The one row: every decision of a smaller id is counted, but those that are noted in late_decisions.
decision_counting = Table(
    "decision_counting",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("counted_to", UUID, nullable=False),
    CheckConstraint("one", name="one"),
)

# Decisions that were appended under an id which may be counted already (1), and approvals undone (-1).
late_decisions = Table(
    "late_decisions",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("decision_id", UUID, primary_key=True),
    Column("change", SmallInteger, primary_key=True),
    CheckConstraint("change IN (-1, 1)", name="change"),
)

# Approved attempts of the last days: for the caps, which do not count those of type emergency, and for the fence.
# Pruned when no cap can look back so far.
attempts = Table(
    "attempts",
    metadata,
    Column("intent_id", UUID, primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("number", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("subject", Text),  # what it was about; null counts for every subject
    Column("result", Text),  # how it ended, once that was told
    Index("ix_attempts_account_id_number_at", "account_id", "number", "at"),
    Index("ix_attempts_account_id_fence", "account_id", "fence"),
    Index("ix_attempts_at", "at"),
)

# The ledger from which Redis is rebuilt after it lost its memory.
leases = Table(
    "leases",
    metadata,
    Column("id", UUID, primary_key=True),  # the id of the intent that acquired it
    Column("account_id", UUID, nullable=False),
    Column("pool", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("acquired_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    Column("hard_end_at", INSTANT, nullable=False),
    Column("ended_at", INSTANT),
    Column("ended_by", Text),  # released, reconciled, expired, withdrawn
    CheckConstraint(
        "ended_by IS NULL OR ended_by IN ('released', 'reconciled', 'expired', 'withdrawn')",
        name="ended_by",
    ),
    Index(
        "ix_leases_live",
        "account_id",
        "expires_at",
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("ix_leases_account_id_pool_id", "account_id", "pool", "id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("resource_id", UUID, nullable=False),  # the id that the first request was given
    Column("holder", UUID, nullable=False),  # who is working on it; another may take over a dead one's
    Column("claimed_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    Column("status", SmallInteger),  # null while the first request is running
    Column("headers", JSONB),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)


emergencies = Table(
    "emergencies",
    metadata,
    Column("region", Text, primary_key=True),
    Column("until", INSTANT, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    Column("declared_by", UUID),
    Column("updated_at", INSTANT, nullable=False),
)

# Days that a government proclaimed, in a region or a country.
proclaimed_holidays = Table(
    "proclaimed_holidays",
    metadata,
    Column("region", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("name", Text, nullable=False),
    Column("proclaimed_by", UUID),
    Column("updated_at", INSTANT, nullable=False),
    Index("ix_proclaimed_holidays_day", "day"),
)


# What ended a lease, and what an operator did: read at GET /v1/pools/{name}/events.
lease_events = Table(
    "lease_events",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("pool", Text, nullable=False),
    Column("lease_id", UUID, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Index("ix_lease_events_account_id_pool_sequence", "account_id", "pool", "sequence"),
)
