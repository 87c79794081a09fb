"""Messages that a carrier's own webhook brought: what it calls them, so that one that comes again changes nothing.

Neither Twilio nor Plivo nor Bandwidth signs a time, and an Idempotency-Key is kept for a day only: a START that is
played back a year later must not lift the STOP that came after it. The list of messages is read in the order of their
ids. Columns without a default change no row, and what the release before writes has null in both. The one index finds
nothing to hold yet; the other takes about a second for a million messages, in which a reply that comes in waits.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE inbound_messages ADD COLUMN carrier TEXT, ADD COLUMN carrier_message_id TEXT")
    op.execute(
        "CREATE UNIQUE INDEX ux_inbound_messages_carrier_message_id ON inbound_messages"
        " (account_id, carrier, carrier_message_id) WHERE carrier_message_id IS NOT NULL"
    )
    op.execute("CREATE INDEX ix_inbound_messages_account_id_id ON inbound_messages (account_id, id)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_inbound_messages_account_id_id")
    op.execute("DROP INDEX ux_inbound_messages_carrier_message_id")
    op.execute("ALTER TABLE inbound_messages DROP COLUMN carrier_message_id, DROP COLUMN carrier")
