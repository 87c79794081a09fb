"""Alembic's entry: runs on a connection that `callgate migrate` hands over, never on one of its own making."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from migrations import event_tables, evidence_tables, people_tables, registry_tables, tables
from migrations.metadata import metadata

assert (
    tables.decisions.metadata
    is registry_tables.jobs.metadata
    is people_tables.outcomes.metadata
    is evidence_tables.seals.metadata
    is event_tables.events.metadata
    is metadata
)  # importing them fills it


def include_object(
    obj: object, name: str | None, kind: str, reflected: bool, compare_to: object | None
) -> bool:
    """Partitions are made and dropped by the service month by month; they are not drift."""
    return not (kind == "table" and reflected and name is not None and name.startswith("decisions_"))


def run() -> None:
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise RuntimeError("run migrations with `callgate migrate`")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        transaction_per_migration=True,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
