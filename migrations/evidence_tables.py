"""Who changed what, and the seals over decisions and histories."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from migrations.metadata import metadata
from migrations.tables import INSTANT

# Only ever grows: a trigger refuses every UPDATE, DELETE and TRUNCATE.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID),  # null for what is the same for every account
    Column("at", INSTANT, nullable=False),
    Column("actor", Text, nullable=False),  # a key's id, or: command line, start, operator
    Column("subject", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Index("ix_audit_entries_account_id_id", "account_id", "id"),
)

# Public keys only: the private ones are in files, and in no database.
seal_keys = Table(
    "seal_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("first_used_at", INSTANT, nullable=False),
    Column("introduced_by", Text),  # the key before it, which signed the introduction
    Column("introduction", LargeBinary),
    Column("ended", Text),
    Column("ended_at", INSTANT),
    CheckConstraint("ended IN ('rotated', 'lost')", name="ended"),
)

# Only ever grows. ``body`` is what was signed, byte for byte.
seals = Table(
    "seals",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", INSTANT, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("ix_seals_account_id_hour", "account_id", "hour"),
)

# What each seal is the root of: kind, id and hash of every record in order, some thousand a part.
seal_leaves = Table(
    "seal_leaves",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("leaves", LargeBinary, nullable=False),
)

# What has arrived in the histories and is not sealed yet: ids, some thousand a row, put there by triggers.
seal_queue = Table(
    "seal_queue",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("arrival", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ids", ARRAY(UUID), nullable=False),
    Column("at", INSTANT, nullable=False, server_default=text("clock_timestamp()")),
)

# How many decisions an hour had when it was last looked at, to notice those that were committed late.
seal_hours = Table(
    "seal_hours",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("hour", INSTANT, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
)

seal_progress = Table(
    "seal_progress",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("since", INSTANT, nullable=False),
    Column("sealed_until", INSTANT, nullable=False),
    CheckConstraint("one", name="one_row"),
)

# The rule packs that decisions were made with, as their files stood.
rule_texts = Table(
    "rule_texts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("kept_at", INSTANT, nullable=False),
)
