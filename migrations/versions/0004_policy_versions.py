"""Every policy that was put is kept with its version, since decisions name it.

For a while the table stood in the first schema, which databases that were there already never saw; those which began
in that while have it. What is in force is taken in as of now: who put it, and when, was not written down. A policy
that the release before puts while it still runs is not kept.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS policy_versions (
            account_id UUID NOT NULL,
            version INTEGER NOT NULL,
            policy JSONB NOT NULL,
            changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
            changed_by UUID,
            CONSTRAINT pk_policy_versions PRIMARY KEY (account_id, version),
            CONSTRAINT fk_policy_versions_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
        )
        """
    )
    op.execute(
        """
        INSERT INTO policy_versions (account_id, version, policy, changed_at)
        SELECT id, policy_version, policy, now() FROM accounts WHERE policy_version > 0
            ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE policy_versions")
