"""What every command begins with: settings, and the stores, embedded where none are configured."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from app.platform.embedded import EmbeddedServers
    from app.settings import Settings

T = TypeVar("T")

USAGE, UNAVAILABLE = 2, 3


def fail(message: str, status: int = UNAVAILABLE) -> NoReturn:
    """End with one clear line."""
    print(f"callgate: {message}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(status)


def settings_or_exit() -> Settings:
    """The settings of the environment; a wrong one ends the command with one line."""
    from app.settings import Settings, SettingsError

    try:
        return Settings.from_environ(os.environ)
    except SettingsError as error:
        fail(str(error), USAGE)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where Postgres and Redis answer."""

    settings: Settings
    database_url: str
    redis_url: str
    embedded: EmbeddedServers | None


@contextlib.contextmanager
def stores(*, own: bool = False) -> Iterator[Stores]:
    """The stores that are configured, and embedded ones for those that are not.

    With ``own`` the data directory must be ours (serve); without, a running Callgate's servers are shared.
    """
    from app.platform.embedded import (
        AlreadyRunning,
        Embedded,
        EmbeddedError,
        attach_or_start,
        default_data_dir,
    )

    settings = settings_or_exit()
    postgres, redis = settings.database_url is None, settings.redis_url is None
    embedded: EmbeddedServers | None = None
    try:
        if postgres or redis:
            directory = settings.data_dir or default_data_dir()
            start = Embedded.start if own else attach_or_start
            try:
                embedded = start(directory, postgres=postgres, redis=redis)
            except AlreadyRunning as error:
                fail(str(error))
            except EmbeddedError as error:
                fail(f"{error}")
        yield Stores(
            settings,
            settings.database_url or (embedded.database_url if embedded else ""),
            settings.redis_url or (embedded.redis_url if embedded else ""),
            embedded,
        )
    finally:
        if embedded is not None:
            embedded.stop()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part."""
    import uvloop

    return uvloop.run(work)


def run_plainly(work: Coroutine[Any, Any, T]) -> T:
    """Run it on asyncio's own loop, for a process that forks later."""
    import asyncio

    return asyncio.run(work)
