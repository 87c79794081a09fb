"""Imports that can be tried first and taken back, and keys that tell when they were last used.

An entry and a consent say which import they came with. Columns without a default, and one whose default is a constant,
change no row: the locks are held for a moment. What came before has no import and is taken back by none. The release
before writes none of them.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE jobs ADD COLUMN dry_run BOOLEAN DEFAULT false NOT NULL,"
        " ADD COLUMN taken_back_at TIMESTAMP WITH TIME ZONE, ADD COLUMN taken_back BIGINT"
    )
    # opt_outs inherits from it, and so gains the column as well.
    op.execute("ALTER TABLE suppressions ADD COLUMN import_id UUID")
    op.execute("ALTER TABLE consents ADD COLUMN import_id UUID")
    op.execute("ALTER TABLE api_keys ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE api_keys DROP COLUMN last_used_at")
    op.execute("ALTER TABLE consents DROP COLUMN import_id")
    op.execute("ALTER TABLE suppressions DROP COLUMN import_id")
    op.execute("ALTER TABLE jobs DROP COLUMN taken_back, DROP COLUMN taken_back_at, DROP COLUMN dry_run")
