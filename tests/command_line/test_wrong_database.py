"""A database that does not let us in is said in one line, whatever the command."""

from __future__ import annotations

import pytest

from tests.command_line.conftest import CommandLine
from tests.servers import Servers


@pytest.mark.parametrize(
    "command", [["serve"], ["migrate"], ["keys", "list"], ["registry", "list"], ["export"]]
)
def test_a_database_that_is_not_there_is_said_in_one_line(
    servers: Servers, no_settings: dict[str, str], command: list[str]
) -> None:
    lost = CommandLine(
        {
            **no_settings,
            "CALLGATE_PORT": "0",
            "CALLGATE_DATABASE_URL": servers.database_url("nowhere"),
            "CALLGATE_REDIS_URL": servers.redis_url,
        }
    )
    said = lost.run(*command, status=3).stderr.decode()
    assert said.count("\n") == 1, said
    assert said.startswith("callgate: the database cannot be asked"), said
    assert "nowhere" in said
    assert "does not exist" in said
