"""Months of decisions that were moved out of Postgres into files: which, how many rows, and what they hash to.

A table of its own, empty at first. The release before knows nothing of it, and answers of a month that was moved what
it answers of one that was dropped; no month is moved but by ``callgate archive``.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE archived_months (
            month DATE NOT NULL,
            file TEXT NOT NULL,
            decisions BIGINT NOT NULL,
            digest BYTEA NOT NULL,
            file_bytes BIGINT NOT NULL,
            file_sha256 BYTEA NOT NULL,
            archived_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_archived_months PRIMARY KEY (month)
        )
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT FROM archived_months) THEN
                RAISE EXCEPTION 'months of decisions are in files, which the release before cannot read';
            END IF;
        END $$
        """
    )
    op.execute("DROP TABLE archived_months")
