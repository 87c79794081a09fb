"""Decisions counted by hour and day, so that statistics are read from a few rows and never from the decisions.

``decision_counts`` is kept by upkeep, by ranges of ids: ``decision_counting`` says up to which id everything is in it.
A decision that is appended under an older id than that range may hold is noted in ``late_decisions`` by the statement
that appends it, and so is an approval that is undone; upkeep adds and takes off what is noted there.

New tables and a function, of which the release before knows nothing. What it appends late while both run is not
noted: `callgate decisions recount` counts everything anew.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE decision_counts (
            account_id UUID NOT NULL,
            span TEXT NOT NULL,
            subject TEXT NOT NULL,
            begins TIMESTAMP WITH TIME ZONE NOT NULL,
            named BOOLEAN NOT NULL,
            value TEXT NOT NULL,
            decisions BIGINT NOT NULL,
            CONSTRAINT pk_decision_counts PRIMARY KEY (account_id, span, subject, begins, named, value),
            CONSTRAINT ck_decision_counts_span CHECK (span IN ('hour', 'day'))
        ) WITH (fillfactor = 80)
        """
    )
    op.execute("CREATE INDEX ix_decision_counts_begins ON decision_counts (begins)")
    op.execute(
        """
        CREATE TABLE decision_counting (
            one BOOLEAN DEFAULT true NOT NULL,
            counted_to UUID NOT NULL,
            CONSTRAINT pk_decision_counting PRIMARY KEY (one),
            CONSTRAINT ck_decision_counting_one CHECK (one)
        )
        """
    )
    op.execute("INSERT INTO decision_counting (counted_to) VALUES ('00000000-0000-0000-0000-000000000000')")
    op.execute(
        """
        CREATE TABLE late_decisions (
            account_id UUID NOT NULL,
            decision_id UUID NOT NULL,
            change SMALLINT NOT NULL,
            CONSTRAINT pk_late_decisions PRIMARY KEY (account_id, decision_id, change),
            CONSTRAINT ck_late_decisions_change CHECK (change IN (-1, 1))
        )
        """
    )
    # Called in the statement that appends, for a row that is late and only for that.
    op.execute(
        """
        CREATE FUNCTION note_late_decision(account UUID, decision UUID) RETURNS void LANGUAGE sql AS $$
            INSERT INTO late_decisions (account_id, decision_id, change) VALUES (account, decision, 1)
        $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION note_late_decision(UUID, UUID)")
    op.execute("DROP TABLE late_decisions")
    op.execute("DROP TABLE decision_counting")
    op.execute("DROP TABLE decision_counts")
