"""The wishes that stand in the list move to their own table, and those that were lost to it come back.

Account by account, each in one statement of its own: who reads the list in between sees a wish before its move or
after it, never neither. Run again, it finds nothing to do.

Where the account had entries of its own for calls and for texts, a STOP took their end away and left no row that
was the person's. Whoever's last message was a STOP gets the wish back, unless somebody removed the number since:
until now that was allowed, and what was removed on purpose is not to come back on its own.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ACCOUNTS = "SELECT id FROM accounts ORDER BY id"
MOVE = """
    WITH moved AS (
        DELETE FROM ONLY suppressions
         WHERE account_id = :account AND opted_out_at IS NOT NULL AND (expires_at IS NULL OR expires_at > now())
        RETURNING *
    )
    INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at, expires_at,
                          created_by, opted_out_at)
    SELECT account_id, number, channel, id, reason, source, created_at, updated_at, NULL, created_by, opted_out_at
      FROM moved
        ON CONFLICT (account_id, number, channel) DO NOTHING
"""
# What ended as somebody else's before it was swept stays where the sweeper finds it, as the account's own.
UNMARK = """
    UPDATE ONLY suppressions SET opted_out_at = NULL WHERE account_id = :account AND opted_out_at IS NOT NULL
"""
COME_BACK = """
    INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at, created_by,
                          opted_out_at)
    SELECT account_id, from_number, 'all', gen_random_uuid(), words, 'opt_out', received_at, received_at, key_id,
           received_at
      FROM (SELECT DISTINCT ON (from_number) * FROM inbound_messages
             WHERE account_id = :account ORDER BY from_number, received_at DESC, id DESC) AS last
     WHERE action = 'opt_out'
       AND NOT EXISTS (SELECT FROM opt_outs AS o
                        WHERE o.account_id = last.account_id AND o.number = last.from_number
                       HAVING bool_or(o.channel = 'all') OR count(*) = 2)
       AND NOT EXISTS (SELECT FROM suppression_events AS e
                        WHERE e.account_id = last.account_id AND e.number = last.from_number
                          AND e.action = 'removed' AND e.at >= last.received_at)
        ON CONFLICT (account_id, number, channel) DO NOTHING
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        for account in connection.execute(sa.text(ACCOUNTS)).scalars().all():
            for statement in (MOVE, UNMARK, COME_BACK):
                connection.execute(sa.text(statement), {"account": account})


def downgrade() -> None:
    """The revision before takes the wishes back into the list."""
