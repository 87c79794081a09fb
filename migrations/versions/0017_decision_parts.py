"""What repeats in decisions is stored once: parts by their digest, which a decision names beside what is its own.

A decision as the release before wrote it has no parts and is read as it is; so the columns have no default, and
adding them changes no row. The release before knows nothing of parts: it would answer such a decision without its
checks, and seal it so. Therefore the first decisions are divided a day after this migration, by when every process
is of the new release; where there is no account yet, at once. A part is never changed or removed, which a trigger
holds: decisions and seals rest on it.

Going back puts every decision together again, month by month, before the columns go.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ROWS_AT_ONCE = 1000


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE decision_parts (
            account_id UUID NOT NULL,
            digest UUID NOT NULL,
            part TEXT NOT NULL,
            CONSTRAINT pk_decision_parts PRIMARY KEY (account_id, digest)
        )
        """
    )
    op.execute(
        "CREATE TRIGGER decision_parts_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON decision_parts"
        " FOR EACH STATEMENT EXECUTE FUNCTION only_grows()"
    )
    op.execute("ALTER TABLE decisions ADD COLUMN parts UUID[], ADD COLUMN filled TEXT")
    op.execute("ALTER TABLE installation ADD COLUMN decisions_divided_from TIMESTAMP WITH TIME ZONE")
    op.execute(
        "UPDATE installation SET decisions_divided_from = CASE WHEN EXISTS (SELECT FROM accounts)"
        " THEN clock_timestamp() + interval '1 day' ELSE '2000-01-01T00:00:00Z' END"
    )
    op.execute(
        "ALTER TABLE installation ALTER COLUMN decisions_divided_from SET DEFAULT '2000-01-01T00:00:00Z'"
    )
    op.execute("ALTER TABLE installation ALTER COLUMN decisions_divided_from SET NOT NULL")


def downgrade() -> None:
    connection = op.get_bind()
    # Nobody appends a divided decision behind this.
    connection.execute(sa.text("LOCK TABLE decisions IN SHARE ROW EXCLUSIVE MODE"))
    parts: dict[tuple[Any, Any], Any] = {}
    for account, digest, part in connection.execute(
        sa.text("SELECT account_id, digest, part FROM decision_parts")
    ):
        parts[account, digest] = part
    after = "00000000-0000-0000-0000-000000000000"
    while rows := connection.execute(_DIVIDED, {"after": after, "limit": _ROWS_AT_ONCE}).all():
        after = str(rows[-1][0])
        whole = [
            {
                "id": row[0],
                "document": json.dumps(
                    _together(str(row[0]), row[2], [parts[row[1], d] for d in row[3]], row[4])
                ),
            }
            for row in rows
        ]
        connection.execute(_WHOLE, whole)
    op.execute("ALTER TABLE installation DROP COLUMN decisions_divided_from")
    op.execute("ALTER TABLE decisions DROP COLUMN filled, DROP COLUMN parts")
    op.execute("DROP TABLE decision_parts")


_DIVIDED = sa.text(
    "SELECT id, account_id, document::text, parts, filled FROM decisions"
    " WHERE id > CAST(:after AS uuid) AND parts IS NOT NULL ORDER BY id LIMIT :limit"
)
_WHOLE = sa.text(
    "UPDATE decisions SET document = CAST(:document AS jsonb), parts = NULL, filled = NULL WHERE id = :id"
)


def _together(decision_id: str, own: str, parts: list[str], filled: str | None) -> dict[str, Any]:
    """As the release of this migration puts a decision together; kept here, for that may change."""
    document: dict[str, Any] = {}
    values = iter(json.loads(filled or "[]"))
    for part in map(json.loads, parts):
        for path, value in part["put"]:
            _put(document, path, value)
        for path in part["row"]:
            _put(document, path, decision_id)
        for paths in part["gaps"]:
            value = next(values)
            for path in paths:
                _put(document, path, value)
    return {**document, **json.loads(own)}


def _put(document: Any, path: list[Any], value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value
