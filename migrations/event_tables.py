"""What happened, for whoever wants to hear of it: the outbox, the events by position, and who is told of them.

``event_outbox`` is written in the transaction of the change, by triggers on the tables of history (migration 0013) and
by ``app.events.store`` for what no row tells. ``events`` has what has been committed, each under a position that was
given out by one at a time, so that who has read up to one has missed nothing below it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, UUID

from migrations.metadata import metadata
from migrations.tables import INSTANT

event_outbox = Table(
    "event_outbox",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column(
        "subject", Text, nullable=False
    ),  # in whose order it is told: the number, or what else it is about
    Column("at", INSTANT, nullable=False),
    Column("data", JSONB, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("position", BigInteger, Identity(always=False), primary_key=True),
    Column("id", UUID, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", INSTANT, nullable=False),
    Column("recorded_at", INSTANT, nullable=False, server_default=text("clock_timestamp()")),
    Column("data", JSONB, nullable=False),
    Index("uq_events_account_id_id", "account_id", "id", unique=True),
    Index("ix_events_recorded_at", "recorded_at"),
)

# Who has read the events of an account, and when last: what a long import writes depends on it.
event_readers = Table(
    "event_readers",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("read_at", INSTANT, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("id", UUID, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_because", Text),  # why Callgate itself switched it off
    # As they are: who signs has to have them, and the key to open them with would lie beside them.
    Column("secret", BYTEA, nullable=False),
    Column("secret_before", BYTEA),
    Column("secret_before_until", INSTANT),
    Column("created_at", INSTANT, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    Column("position", BigInteger, nullable=False),  # up to here every event was told, or has a delivery
    # Who delivers. A result that comes under an older fence counts for nothing.
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("held_until", INSTANT, nullable=False, server_default=text("'-infinity'")),
    # While nothing at all gets through: how often in a row, and when it is tried again.
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("rests_until", INSTANT, nullable=False, server_default=text("'-infinity'")),
    Column("last_error", Text),
    Column("delivered_at", INSTANT),
    Index("uq_webhooks_id", "id", unique=True),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("webhook_id", UUID, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Null while it waits for an earlier event of its subject.
    Column("next_at", INSTANT),
    Column("until", INSTANT, nullable=False),  # a try that fails after this was the last
    Column("tried_at", INSTANT),
    Column("answered", Integer),  # the status of the last answer
    Column("last_error", Text),
    CheckConstraint("status IN ('waiting', 'delivered', 'dead')", name="status"),
    Index("ix_webhook_deliveries_listed", "account_id", "webhook_id", "position"),
    Index(
        "ix_webhook_deliveries_due",
        "account_id",
        "webhook_id",
        "next_at",
        postgresql_where=text("status = 'waiting' AND next_at IS NOT NULL"),
    ),
    Index(
        "ix_webhook_deliveries_waiting",
        "account_id",
        "webhook_id",
        "subject",
        "position",
        postgresql_where=text("status = 'waiting'"),
    ),
    Index(
        "ix_webhook_deliveries_dead",
        "account_id",
        "webhook_id",
        "position",
        postgresql_where=text("status = 'dead'"),
    ),
)
