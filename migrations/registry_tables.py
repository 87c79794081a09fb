"""Tables of the registries and of the jobs that fill them.

A registry is not stored as one row per number. A row of ``registry_blocks`` stands for 10,000 consecutive
numbers (``block`` is the number without its plus sign, divided by 10,000) and carries which of them are
listed, in one of two forms that ``bitmaps`` of the registries describes: a bitmap of 1,250 bytes, or two bytes for
each listed number where few are. The key begins with the block, so that one descent of the index finds the
block in every registry at once, however many there are.
"""

from __future__ import annotations

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
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from migrations.metadata import metadata

registries = Table(
    "registries",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("region", Text),
    Column("applies_to", ARRAY(Text), nullable=False),
    Column("purposes", ARRAY(Text), nullable=False),
    Column("max_age_days", Integer),
    # The version that is in force, and its date, repeated here so that a lookup need not join for it.
    # No foreign key: the version names its registry, and a cycle would make both awkward to delete.
    Column("active_version_id", Integer, unique=True),
    Column("version_date", Date),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("stale_told", Integer),  # the version of which it was told that it is too old
    CheckConstraint(
        "kind IN ('national_dnc', 'state_dnc', 'litigator', 'reassigned', 'custom')", name="kind"
    ),
    CheckConstraint("max_age_days > 0", name="max_age_days"),
)

registry_versions = Table(
    "registry_versions",
    metadata,
    # An integer, not a UUID, because every block repeats it.
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("registry", Text, ForeignKey("registries.name", ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),
    Column("version_date", Date, nullable=False),
    Column("source", Text, nullable=False, server_default=text("''")),
    Column("numbers", BigInteger, nullable=False),
    Column("blocks", BigInteger, nullable=False),
    Column("changes_applied", Integer, nullable=False, server_default=text("0")),
    Column("job_id", Uuid, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True)),
    Column("retired_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('active', 'retired')", name="state"),
    Index("ix_registry_versions_registry_loaded_at", "registry", "loaded_at"),
)

reassigned_numbers = Table(
    "reassigned_numbers",
    metadata,
    Column("version_id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("since", Date, nullable=False),  # disconnected since
)

registry_blocks = Table(
    "registry_blocks",
    metadata,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("version_id", Integer, primary_key=True, autoincrement=False),
    Column("bits", BYTEA, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid),  # null for registries, which no account owns
    Column("key_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),  # the registry's name
    Column("status", Text, nullable=False),
    Column("phase", Text, nullable=False, server_default=text("'reading'")),
    Column("partial", Boolean, nullable=False, server_default=text("false")),
    Column("rows_read", BigInteger, nullable=False, server_default=text("0")),
    Column("added", BigInteger, nullable=False, server_default=text("0")),
    Column("changed", BigInteger, nullable=False, server_default=text("0")),
    Column("removed", BigInteger, nullable=False, server_default=text("0")),
    Column("unchanged", BigInteger, nullable=False, server_default=text("0")),
    Column("rejected", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_read", BigInteger, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("heartbeat_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("dry_run", Boolean, nullable=False, server_default=text("false")),
    Column("taken_back_at", DateTime(timezone=True)),
    Column("taken_back", BigInteger),  # how many of what it added were there to be taken back
    CheckConstraint(
        "kind IN ('suppression_import', 'registry_load', 'registry_changes', 'consent_import')", name="kind"
    ),
    CheckConstraint("status IN ('running', 'succeeded', 'failed')", name="status"),
    Index("ix_jobs_account_id_created_at", "account_id", "created_at"),
    Index("ix_jobs_running", "heartbeat_at", postgresql_where=text("status = 'running'")),
)

job_rejects = Table(
    "job_rejects",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
