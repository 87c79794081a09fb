"""Consents by a purchase or an inquiry, and the days on which numbers were given up.

The check on the kinds of consents allows more than before, so the rows that are there need not be looked at: it takes
the place of the old one in one statement, which holds the table for a moment. Rows of the kind ``existing_business``
stay readable, and the release before goes on writing them.

``reassigned_numbers`` is new and empty. The release before does not read it, and takes its bare numbers out of the
blocks as ever.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = """
    ALTER TABLE consents
        DROP CONSTRAINT ck_consents_kind,
        ADD CONSTRAINT ck_consents_kind
            CHECK (kind IN ('express', 'express_written', 'purchase', 'inquiry', 'existing_business')) NOT VALID
"""
# Looks at every row without keeping anybody from writing.
LOOKED_AT = "ALTER TABLE consents VALIDATE CONSTRAINT ck_consents_kind"
# No key to the versions, as the blocks have none: making one would wait for a load that is running.
REASSIGNED = """
    CREATE TABLE IF NOT EXISTS reassigned_numbers (
        version_id INTEGER NOT NULL,
        number BIGINT NOT NULL,
        since DATE NOT NULL,
        CONSTRAINT pk_reassigned_numbers PRIMARY KEY (version_id, number)
    )
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(KINDS)
        op.execute(LOOKED_AT)
        op.execute(REASSIGNED)


def downgrade() -> None:
    op.execute("DROP TABLE reassigned_numbers")
    op.execute("UPDATE consents SET kind = 'existing_business' WHERE kind IN ('purchase', 'inquiry')")
    op.execute(
        "ALTER TABLE consents DROP CONSTRAINT ck_consents_kind, ADD CONSTRAINT ck_consents_kind"
        " CHECK (kind IN ('express', 'express_written', 'existing_business'))"
    )
