"""Registries as blocks of 10,000 numbers, and the jobs that fill them.

Only new tables, so the release that runs while this is applied is not disturbed.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registries",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("region", sa.Text()),
        sa.Column("applies_to", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("purposes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("max_age_days", sa.Integer()),
        sa.Column("active_version_id", sa.Integer()),
        sa.Column("version_date", sa.Date()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_registries"),
        sa.UniqueConstraint("active_version_id", name="uq_registries_active_version_id"),
        sa.CheckConstraint(
            "kind IN ('national_dnc', 'state_dnc', 'litigator', 'reassigned', 'custom')",
            name=op.f("ck_registries_kind"),
        ),
        sa.CheckConstraint("max_age_days > 0", name=op.f("ck_registries_max_age_days")),
    )
    op.create_table(
        "registry_versions",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version_date", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False),
        sa.Column("changes_applied", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_registry_versions"),
        sa.ForeignKeyConstraint(
            ["registry"], ["registries.name"], ondelete="CASCADE", name="fk_registry_versions_registry"
        ),
        sa.CheckConstraint("state IN ('active', 'retired')", name=op.f("ck_registry_versions_state")),
    )
    op.create_index("ix_registry_versions_registry_loaded_at", "registry_versions", ["registry", "loaded_at"])
    op.create_table(
        "registry_blocks",
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bits", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("block", "version_id", name="pk_registry_blocks"),
    )
    # A block is always below the size at which Postgres would move it out of line; EXTERNAL says besides that
    # it is never to be compressed, so that get_bit reads one byte and unpacks nothing.
    op.execute("ALTER TABLE registry_blocks ALTER COLUMN bits SET STORAGE EXTERNAL")
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid()),
        sa.Column("key_id", sa.Uuid()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), server_default=sa.text("'reading'"), nullable=False),
        sa.Column("partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            for name in ("rows_read", "added", "changed", "removed", "unchanged", "rejected", "bytes_read")
        ),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.CheckConstraint(
            "kind IN ('suppression_import', 'registry_load', 'registry_changes')", name=op.f("ck_jobs_kind")
        ),
        sa.CheckConstraint("status IN ('running', 'succeeded', 'failed')", name=op.f("ck_jobs_status")),
    )
    op.create_index("ix_jobs_account_id_created_at", "jobs", ["account_id", "created_at"])
    op.create_index(
        "ix_jobs_running", "jobs", ["heartbeat_at"], postgresql_where=sa.text("status = 'running'")
    )
    op.create_table(
        "job_rejects",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "line", name="pk_job_rejects"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE", name="fk_job_rejects_job_id"),
    )


def downgrade() -> None:
    for table in ("job_rejects", "jobs", "registry_blocks", "registry_versions", "registries"):
        op.drop_table(table)
