"""The command line of a benchmark of one database: that of ``--url``, or of a Postgres started for the run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable


def say(line: str) -> None:
    """Print now."""
    print(line, flush=True)


def run_on_postgres(
    parser: argparse.ArgumentParser,
    run: Callable[[str, argparse.Namespace], Awaitable[bool]],
    **small: int,
) -> None:
    """Reads the arguments, runs, and exits with 0 where ``run`` says that its bound was kept, else 1.

    ``small``: what the arguments of these names become under ``--small``, to see that it runs.
    """
    parser.add_argument("--url", help="of an empty database")
    parser.add_argument("--small", action="store_true", help="little of everything, to see that it runs")
    arguments = parser.parse_args()
    if arguments.small:
        vars(arguments).update(small)

    async def measured(url: str) -> bool:
        return await run(url, arguments)

    if arguments.url:
        sys.exit(0 if asyncio.run(measured(arguments.url)) else 1)
    from tests.servers import Servers

    servers = Servers()
    try:
        held = asyncio.run(measured(servers.database_url(servers.fresh_database(migrated=False))))
    finally:
        servers.close()
    sys.exit(0 if held else 1)
