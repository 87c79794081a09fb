"""Why a policy was put: a comment beside each of its versions.

A column with a constant default changes no row, and the lock is held for a moment. The release before writes none.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE policy_versions ADD COLUMN comment TEXT DEFAULT '' NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE policy_versions DROP COLUMN comment")
