"""callgate migrate: bring the schema to the newest revision."""

from __future__ import annotations

import typer

from app.platform.environment import fail, run, stores


def migrate() -> None:
    """Bring the database's schema to this release's revision. Safe to repeat, and to run from several places."""
    with stores() as found:
        before, after = run(_migrate(found.database_url))
    typer.echo(f"schema at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))


async def _migrate(url: str) -> tuple[str | None, str | None]:
    from app.intents.records import partitions
    from app.platform.postgres.database import Database, PostgresUnavailable, is_away, why_away
    from app.platform.postgres.migrate import migrate as bring_up

    database = Database(url, timeout_seconds=10, pool_size=1)
    try:
        outcome = await bring_up(url)
        async with database.begin() as connection:
            await partitions.make_ahead(connection, await partitions.server_now(connection))
        return outcome
    except Exception as error:
        if isinstance(error, PostgresUnavailable) or is_away(error):
            fail(f"the database cannot be asked ({why_away(error)}); is CALLGATE_DATABASE_URL right?")
        raise
    finally:
        await database.close()
