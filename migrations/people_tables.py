"""What people agreed to, and how contacts with them ended."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from migrations.metadata import metadata
from migrations.tables import INSTANT

_RESULTS = ("answered", "machine", "abandoned", "no_answer", "busy", "failed", "delivered", "undelivered")

consents = Table(
    "consents",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID, ForeignKey("accounts.id"), nullable=False),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channels", ARRAY(Text), nullable=False),
    Column("given_at", INSTANT, nullable=False),
    Column("expires_at", INSTANT),
    Column("evidence", JSONB, nullable=False),
    Column("created_at", INSTANT, nullable=False),
    Column("created_by", UUID),
    Column("ended_at", INSTANT),
    Column("ended_by", Text),  # replaced, withdrawn, opt_out, taken_back
    # existing_business: of earlier releases, read as an inquiry
    CheckConstraint(
        "kind IN ('express', 'express_written', 'purchase', 'inquiry', 'existing_business')", name="kind"
    ),
    Column("text_version", Text),  # of the wording that was agreed to
    Column("import_id", UUID),  # the job that brought it in, if one did
    Index("ix_consents_account_id_number", "account_id", "number"),
    Index(
        "ix_consents_expiring",
        "account_id",
        "expires_at",
        "id",
        postgresql_where=text("ended_at IS NULL AND expires_at IS NOT NULL"),
    ),
)

# How an approved intent ended, as its caller told it.
outcomes = Table(
    "outcomes",
    metadata,
    Column("intent_id", UUID, primary_key=True),
    Column("account_id", UUID, nullable=False),
    Column("campaign", Text, nullable=False),  # empty where the intent named none
    Column("day", Date, nullable=False),  # on which it was decided, UTC
    Column("result", Text, nullable=False),
    Column("ring_seconds", Double),
    Column("talk_seconds", Double),
    Column("asked_not_to_be_called", Boolean, nullable=False, server_default=text("false")),
    Column("told_at", INSTANT, nullable=False),
    Column("corrected_at", INSTANT),
    Column("key_id", UUID),
    CheckConstraint(f"result IN ({', '.join(repr(each) for each in _RESULTS)})", name="result"),
)

# The same, counted: changed in the transaction that tells an outcome, so that rates need no row of ``outcomes``.
outcome_days = Table(
    "outcome_days",
    metadata,
    Column("account_id", UUID, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    *(Column(result, BigInteger, nullable=False, server_default=text("0")) for result in _RESULTS),
)

inbound_messages = Table(
    "inbound_messages",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("account_id", UUID, ForeignKey("accounts.id"), nullable=False),
    Column("from_number", Text, nullable=False),
    Column("to_number", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("keyword", Text),
    Column("words", Text, nullable=False),
    # The entries that this opt-out made, for the record.
    Column("suppression_ids", ARRAY(UUID), nullable=False, server_default=text("'{}'")),
    Column("received_at", INSTANT, nullable=False),
    Column("key_id", UUID),
    # Where a carrier's own webhook brought it: who, and what it is called there.
    Column("carrier", Text),
    Column("carrier_message_id", Text),
    Index("ix_inbound_messages_account_id_from_number", "account_id", "from_number"),
    Index("ix_inbound_messages_account_id_id", "account_id", "id"),
    Index(
        "ux_inbound_messages_carrier_message_id",
        "account_id",
        "carrier",
        "carrier_message_id",
        unique=True,
        postgresql_where=text("carrier_message_id IS NOT NULL"),
    ),
)
