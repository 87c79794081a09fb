"""Scopes that were split off: whoever could record consents or hand in messages still can.

`suppressions:write` used to cover consents and inbound messages as well, so the key in a carrier's webhook could take
a person's STOP back. `consents:read`, `consents:write` and `inbound:write` are scopes of their own now, and every key
that is there gets those that it had unnamed.

The release before runs on meanwhile and makes keys. It does not name `scope_edition`, so its keys arrive as of the
first edition, and the trigger gives them the same. This release writes the second edition and gets what it asks for.

A column with a constant default is not written to the rows, and keys are few: the table is held for milliseconds.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SPLIT_OFF = """
    ARRAY(SELECT DISTINCT scope FROM unnest(
        {scopes}
        || CASE WHEN 'suppressions:read' = ANY ({scopes}) THEN '{{consents:read}}'::text[] ELSE '{{}}' END
        || CASE WHEN 'suppressions:write' = ANY ({scopes})
                THEN '{{consents:write,inbound:write}}'::text[] ELSE '{{}}' END
    ) AS scope ORDER BY scope)
"""


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD COLUMN scope_edition SMALLINT DEFAULT 1 NOT NULL")
    op.execute(
        f"""
        CREATE FUNCTION api_keys_of_the_first_edition() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.scope_edition < 2 THEN
                NEW.scopes := {_SPLIT_OFF.format(scopes="NEW.scopes")};
                NEW.scope_edition := 2;
            END IF;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER api_keys_of_the_first_edition BEFORE INSERT ON api_keys"
        " FOR EACH ROW EXECUTE FUNCTION api_keys_of_the_first_edition()"
    )
    op.execute(f"UPDATE api_keys SET scopes = {_SPLIT_OFF.format(scopes='scopes')}, scope_edition = 2")


def downgrade() -> None:
    op.execute("DROP TRIGGER api_keys_of_the_first_edition ON api_keys")
    op.execute("DROP FUNCTION api_keys_of_the_first_edition()")
    op.execute("ALTER TABLE api_keys DROP COLUMN scope_edition")
