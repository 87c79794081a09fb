"""Bring the schema to the newest revision: once, whoever asks, however many ask at the same time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from app.platform.postgres.connecting import Opening, hosts_of_url
from app.platform.postgres.database import engine_of

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"
LOCK = 0x0CA11_6A7F


async def migrate(url: str) -> tuple[str | None, str | None]:
    """Run every pending migration; answers the revision before and after.

    An advisory lock makes a second caller wait for the first and then find nothing to do. ``lock_timeout``
    keeps a migration from queueing behind a long transaction with everybody else queued behind it.
    """
    engine = engine_of(
        hosts_of_url(url),
        Opening({"application_name": "callgate migrate", "lock_timeout": "5000"}, connect_timeout=5),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as guard:
            # For a transaction and not for the session, which a pooler may share out; it is kept open meanwhile.
            await guard.execute(text("SET LOCAL lock_timeout = '120s'"))
            await guard.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await guard.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            async with engine.connect() as connection:
                before, after = await connection.run_sync(_upgrade)
            await guard.rollback()
        return before, after
    finally:
        await engine.dispose()


def configuration() -> Config:
    """Alembic's configuration; there is no ini file, since nothing in it would be ours."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str | None:
    """The revision that this release was written for."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The revision of the database."""
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> tuple[str | None, str | None]:
    before = current_revision(connection)
    connection.rollback()
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    return before, current_revision(connection)
