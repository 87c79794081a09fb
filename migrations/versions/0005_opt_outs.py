"""A person's wish stands in a table of its own, which whoever reads the list reads with it.

``opt_outs`` inherits from ``suppressions``: every statement that reads the list, those of the release before
included, reads the wishes as well, while ``ON CONFLICT`` and the primary key of the list know of the account's
entries only. Triggers keep what the release before writes while it still runs:

- ``opt_outs_stay``: no UPDATE and no DELETE reaches a wish unless its transaction says that it lifts one. This one
  is for good: it holds against every statement, ours among them.
- ``opt_outs_move``: what is entered into the list as a person's own moves to the wishes.
- ``opt_ins_lift``: an opt-in on record lifts the wishes of its sender, whichever release took it.
- ``entries_stay``: a START taken by the release before removes by channel, and would take the account's own entry
  along with the wish.

The last three are for the release before, and may go with the one after this.

Nothing is rewritten: the locks are those of a new table and of new triggers, for a moment.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = """
    CREATE TABLE IF NOT EXISTS opt_outs (
        CONSTRAINT ck_opt_outs_is_a_wish CHECK (opted_out_at IS NOT NULL AND expires_at IS NULL)
    ) INHERITS (suppressions)
"""
INDEX = "CREATE INDEX IF NOT EXISTS ix_opt_outs_account_id_id ON opt_outs (account_id, id)"
# After the index: of two that would cost the same, as they do on a table that is empty yet, the planner takes the
# younger, and a look for one number is to go by its whole key.
KEY = """
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'pk_opt_outs' AND conrelid = 'opt_outs'::regclass) THEN
            ALTER TABLE opt_outs ADD CONSTRAINT pk_opt_outs PRIMARY KEY (account_id, number, channel);
        END IF;
    END $$
"""

FUNCTIONS = {
    "opt_outs_stay": """
        BEGIN
            IF coalesce(current_setting('callgate.lifts_opt_outs', true), '') <> 'yes' THEN
                RETURN NULL;
            ELSIF TG_OP = 'DELETE' THEN
                RETURN OLD;
            END IF;
            RETURN NEW;
        END
    """,
    "opt_outs_move": """
        BEGIN
            INSERT INTO opt_outs (account_id, number, channel, id, reason, source, created_at, updated_at,
                                  expires_at, created_by, opted_out_at)
            VALUES (NEW.account_id, NEW.number, NEW.channel, NEW.id, NEW.reason, NEW.source, NEW.created_at,
                    NEW.updated_at, NULL, NEW.created_by, NEW.opted_out_at)
                ON CONFLICT (account_id, number, channel) DO NOTHING;
            DELETE FROM ONLY suppressions
             WHERE account_id = NEW.account_id AND number = NEW.number AND channel = NEW.channel AND id = NEW.id;
            RETURN NULL;
        END
    """,
    "opt_ins_lift": """
        BEGIN
            PERFORM set_config('callgate.lifts_opt_outs', 'yes', true);
            WITH lifted AS (
                DELETE FROM opt_outs WHERE account_id = NEW.account_id AND number = NEW.from_number
                RETURNING number, channel, source
            )
            INSERT INTO suppression_events (id, account_id, number, channel, action, reason, source, key_id, at)
            SELECT gen_random_uuid(), NEW.account_id, number, channel, 'removed', NEW.words, source, NEW.key_id,
                   NEW.received_at
              FROM lifted;
            PERFORM set_config('callgate.lifts_opt_outs', '', true);
            RETURN NULL;
        END
    """,
    "entries_stay": """
        BEGIN
            IF coalesce(current_setting('callgate.removes_entries', true), '') <> 'yes'
               AND (OLD.expires_at IS NULL OR OLD.expires_at > now())
               AND EXISTS (SELECT FROM opt_outs AS o
                            WHERE o.account_id = OLD.account_id AND o.number = OLD.number
                              AND o.channel = OLD.channel) THEN
                RETURN NULL;
            END IF;
            RETURN OLD;
        END
    """,
}
TRIGGERS = (
    "CREATE OR REPLACE TRIGGER opt_outs_stay BEFORE UPDATE OR DELETE ON opt_outs"
    " FOR EACH ROW EXECUTE FUNCTION opt_outs_stay()",
    "CREATE OR REPLACE TRIGGER opt_outs_move AFTER INSERT ON suppressions"
    " FOR EACH ROW WHEN (NEW.opted_out_at IS NOT NULL) EXECUTE FUNCTION opt_outs_move()",
    "CREATE OR REPLACE TRIGGER entries_stay BEFORE DELETE ON suppressions"
    " FOR EACH ROW WHEN (OLD.opted_out_at IS NULL) EXECUTE FUNCTION entries_stay()",
    "CREATE OR REPLACE TRIGGER opt_ins_lift AFTER INSERT ON inbound_messages"
    " FOR EACH ROW WHEN (NEW.action = 'opt_in') EXECUTE FUNCTION opt_ins_lift()",
)


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(INDEX)
    op.execute(KEY)
    for name, body in FUNCTIONS.items():
        op.execute(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    for trigger in TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    for name, table in (
        ("opt_ins_lift", "inbound_messages"),
        ("entries_stay", "suppressions"),
        ("opt_outs_move", "suppressions"),
        ("opt_outs_stay", "opt_outs"),
    ):
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    # Where the account has an entry in the same place, that one stands in for the wish, and without an end.
    columns = (
        "account_id, number, channel, id, reason, source, created_at, updated_at, expires_at, created_by,"
        " opted_out_at"
    )
    op.execute(
        f"""
        INSERT INTO suppressions ({columns}) SELECT {columns} FROM opt_outs
            ON CONFLICT (account_id, number, channel) DO UPDATE SET expires_at = NULL
        """
    )
    op.execute("DROP TABLE opt_outs")
