"""Evidence: who changed what, and seals over the decisions and the histories.

``audit_entries`` is written in the transaction of each change and only ever grows: a trigger refuses every other
statement, also that of the tables' owner.

``seals`` holds a signed Merkle root per account and hour, ``seal_leaves`` what it is the root of, so that a record
that was changed, removed or added can be named. Decisions are found by their ids. Histories have ids that do not
follow the time (an import stages its rows for minutes), so a trigger puts the ids of whatever arrives into
``seal_queue``, some thousand a row, in the transaction that writes them: what is committed late is there late, and
is taken by the next seal. The release before fills it without knowing.

Nothing is written to the rows that are there, and the locks are held for a moment. Sealing begins with the hour of
this migration. What was recorded before is not sealed.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE audit_entries (
        id UUID NOT NULL,
        account_id UUID,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        actor TEXT NOT NULL,
        subject TEXT NOT NULL,
        action TEXT NOT NULL,
        before JSONB,
        after JSONB,
        CONSTRAINT pk_audit_entries PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_audit_entries_account_id_id ON audit_entries (account_id, id)",
    """
    CREATE TABLE seal_keys (
        id TEXT NOT NULL,
        public_key BYTEA NOT NULL,
        first_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
        introduced_by TEXT,
        introduction BYTEA,
        ended TEXT,
        ended_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_seal_keys PRIMARY KEY (id),
        CONSTRAINT ck_seal_keys_ended CHECK (ended IN ('rotated', 'lost'))
    )
    """,
    """
    CREATE TABLE seals (
        account_id UUID NOT NULL,
        number BIGINT NOT NULL,
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        records BIGINT NOT NULL,
        body BYTEA NOT NULL,
        signature BYTEA NOT NULL,
        CONSTRAINT pk_seals PRIMARY KEY (account_id, number)
    )
    """,
    "CREATE INDEX ix_seals_account_id_hour ON seals (account_id, hour)",
    """
    CREATE TABLE seal_leaves (
        account_id UUID NOT NULL,
        number BIGINT NOT NULL,
        part INTEGER NOT NULL,
        root BYTEA NOT NULL,
        leaves BYTEA NOT NULL,
        CONSTRAINT pk_seal_leaves PRIMARY KEY (account_id, number, part)
    )
    """,
    "ALTER TABLE seal_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL",
    """
    CREATE TABLE seal_queue (
        account_id UUID NOT NULL,
        arrival BIGINT GENERATED ALWAYS AS IDENTITY,
        kind TEXT NOT NULL,
        ids UUID[] NOT NULL,
        at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_seal_queue PRIMARY KEY (account_id, arrival)
    )
    """,
    """
    CREATE TABLE seal_hours (
        account_id UUID NOT NULL,
        hour TIMESTAMP WITH TIME ZONE NOT NULL,
        decisions BIGINT NOT NULL,
        CONSTRAINT pk_seal_hours PRIMARY KEY (account_id, hour)
    )
    """,
    """
    CREATE TABLE seal_progress (
        one BOOLEAN DEFAULT true NOT NULL,
        since TIMESTAMP WITH TIME ZONE NOT NULL,
        sealed_until TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_seal_progress PRIMARY KEY (one),
        CONSTRAINT ck_seal_progress_one_row CHECK (one)
    )
    """,
    """
    INSERT INTO seal_progress (since, sealed_until)
    SELECT date_trunc('hour', now(), 'UTC'), date_trunc('hour', now(), 'UTC')
    """,
    """
    CREATE TABLE rule_texts (
        digest TEXT NOT NULL,
        name TEXT NOT NULL,
        files JSONB NOT NULL,
        kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_rule_texts PRIMARY KEY (digest)
    )
    """,
)
_GROWING = ("audit_entries", "seals")
# The tables of what arrives, and the kind of record that it makes.
_ARRIVALS = (
    ("suppression_events", "suppression"),
    ("consents", "consent"),
    ("inbound_messages", "reply"),
)
_QUEUE = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO seal_queue (account_id, kind, ids)
        SELECT account_id, TG_ARGV[0], array_agg(id)
          FROM (SELECT n.account_id, n.id, (row_number() OVER () - 1) / 5000 AS stretch FROM {rows}) AS whole
         GROUP BY account_id, stretch ORDER BY stretch;
        RETURN NULL;
    END
    $$
"""


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)
    op.execute(
        """
        CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '55000';
        END
        $$
        """
    )
    for table in _GROWING:
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION only_grows()"
        )
    op.execute(_QUEUE.format(name="queue_arrivals", rows="arrived AS n"))
    ended = "arrived AS n JOIN before AS o ON o.id = n.id WHERE o.ended_at IS NULL AND n.ended_at IS NOT NULL"
    op.execute(_QUEUE.format(name="queue_ends", rows=ended))
    for table, kind in _ARRIVALS:
        op.execute(
            f"CREATE TRIGGER {table}_arrive AFTER INSERT ON {table} REFERENCING NEW TABLE AS arrived"
            f" FOR EACH STATEMENT EXECUTE FUNCTION queue_arrivals('{kind}')"
        )
    op.execute(
        "CREATE TRIGGER consents_end AFTER UPDATE ON consents REFERENCING NEW TABLE AS arrived"
        " OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION queue_ends('consent_end')"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER consents_end ON consents")
    for table, _ in _ARRIVALS:
        op.execute(f"DROP TRIGGER {table}_arrive ON {table}")
    for table in (
        "rule_texts", "seal_progress", "seal_hours", "seal_queue", "seal_leaves", "seals", "seal_keys",
        "audit_entries",
    ):  # fmt: skip
        op.execute(f"DROP TABLE {table}")
    for function in ("queue_arrivals", "queue_ends", "only_grows"):
        op.execute(f"DROP FUNCTION {function}()")
