"""How calls ended: what a dialler tells of an intent, and the counts per campaign and day that rates are read from.

``outcomes`` has one row an intent. ``outcome_days`` is changed in the transaction that tells or corrects one, so that
it says at every commit exactly what the rows say: a rate is read from at most thirty rows and never from decisions.

``attempts`` gain what a contact was about and how it ended, for caps that count by either. Both are null in what the
release before writes, and then the attempt counts for every subject. ``consents`` gain the version of the wording
that was agreed to. Columns without a default change no row, and the tables are new: the locks are held for a moment.
The index is over the consents that are on record and have an end, of which nobody could bring in more than one a
request until now. Lists of consents come in as jobs of their own kind.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

RESULTS = ("answered", "machine", "abandoned", "no_answer", "busy", "failed", "delivered", "undelivered")


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN subject TEXT, ADD COLUMN result TEXT")
    op.execute("ALTER TABLE consents ADD COLUMN text_version TEXT")
    named = ", ".join(f"'{result}'" for result in RESULTS)
    op.execute(
        f"""
        CREATE TABLE outcomes (
            intent_id UUID NOT NULL,
            account_id UUID NOT NULL,
            campaign TEXT NOT NULL,
            day DATE NOT NULL,
            result TEXT NOT NULL,
            ring_seconds DOUBLE PRECISION,
            talk_seconds DOUBLE PRECISION,
            asked_not_to_be_called BOOLEAN DEFAULT false NOT NULL,
            told_at TIMESTAMP WITH TIME ZONE NOT NULL,
            corrected_at TIMESTAMP WITH TIME ZONE,
            key_id UUID,
            CONSTRAINT pk_outcomes PRIMARY KEY (intent_id),
            CONSTRAINT ck_outcomes_result CHECK (result IN ({named}))
        )
        """
    )
    counts = ",\n".join(f"            {result} BIGINT DEFAULT 0 NOT NULL" for result in RESULTS)
    op.execute(
        f"""
        CREATE TABLE outcome_days (
            account_id UUID NOT NULL,
            campaign TEXT NOT NULL,
            day DATE NOT NULL,
{counts},
            CONSTRAINT pk_outcome_days PRIMARY KEY (account_id, campaign, day)
        )
        """
    )
    op.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_kind")
    op.execute(
        "ALTER TABLE jobs ADD CONSTRAINT ck_jobs_kind CHECK"
        " (kind IN ('suppression_import', 'registry_load', 'registry_changes', 'consent_import'))"
    )
    op.execute(
        "CREATE INDEX ix_consents_expiring ON consents (account_id, expires_at, id)"
        " WHERE ended_at IS NULL AND expires_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_consents_expiring")
    op.execute("DELETE FROM jobs WHERE kind = 'consent_import'")
    op.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_kind")
    op.execute(
        "ALTER TABLE jobs ADD CONSTRAINT ck_jobs_kind CHECK"
        " (kind IN ('suppression_import', 'registry_load', 'registry_changes'))"
    )
    op.execute("DROP TABLE outcome_days")
    op.execute("DROP TABLE outcomes")
    op.execute("ALTER TABLE consents DROP COLUMN text_version")
    op.execute("ALTER TABLE attempts DROP COLUMN result, DROP COLUMN subject")
