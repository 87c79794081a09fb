"""A running service, and the command line beside it on the same stores, as an operator has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from tests import prepared
from tests.service import CHECKOUT, RunningService

SECONDS = 60


@dataclass(frozen=True)
class CommandLine:
    """`callgate` with the settings of a service."""

    environment: dict[str, str]

    def run(
        self, *arguments: object, status: int = 0, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """One command; its exit status must be the one that is named."""
        done = prepared.run(list(map(str, arguments)), self.environment, given=given, timeout=SECONDS)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: object, status: int = 0, given: bytes = b"") -> Any:
        """What the command says with --json."""
        return json.loads(self.run(*arguments, "--json", status=status, given=given).stdout)

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        """The command, running, with pipes on all three streams unless told otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *map(str, arguments)],
            cwd=CHECKOUT, env=self.environment, **{**pipes, **options},
        )  # fmt: skip


@pytest.fixture
def callgate(gate: RunningService) -> CommandLine:
    """The command line on the service's stores."""
    return CommandLine({**gate.environment, "COLUMNS": "120", "NO_COLOR": "1"})


@pytest.fixture
def no_settings() -> dict[str, str]:
    """The environment without a setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
