"""Days that a government proclaims: read with the facts of every decision, as declared emergencies are.

A new table, which nothing of the release before reads.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE proclaimed_holidays (
            region TEXT NOT NULL,
            day DATE NOT NULL,
            name TEXT NOT NULL,
            proclaimed_by UUID,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_proclaimed_holidays PRIMARY KEY (region, day)
        )
        """
    )
    op.execute("CREATE INDEX ix_proclaimed_holidays_day ON proclaimed_holidays (day)")


def downgrade() -> None:
    op.execute("DROP TABLE proclaimed_holidays")
