"""Asterisk as an AGI program sees it: an environment, commands that are answered, and a channel that can be hung up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.service import CHECKOUT

# Without the command line around it, which takes as long to import as the program itself.
PROGRAM = (sys.executable, "-c", "import typer; from app.connectors.agi import agi; typer.run(agi)")
COMMAND = (sys.executable, "-m", "app.cli", "agi")
ENVIRONMENT = {
    "agi_request": "callgate",
    "agi_channel": "PJSIP/dialler-00000001",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1764000000.1",
    "agi_version": "20.10.0",
    "agi_context": "outbound",
    "agi_priority": "2",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140000000000000",
}


@dataclass
class AsteriskChannel:
    """One channel on which the program was run, and what is left of it afterwards."""

    variables: dict[str, str]
    extension: str
    caller_id: str
    hung_up: int | None = None  # by which cause; 16 for none
    longest_seconds: int | None = None
    commands: list[str] = field(default_factory=list)
    status: int = 0
    errors: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether the dial plan of the recipe reaches Dial()."""
        return self.hung_up is None and self.variables.get("CALLGATE_VERDICT") == "ALLOW"

    def run(
        self,
        environment: Mapping[str, str],
        *arguments: str,
        program: Sequence[str] = PROGRAM,
        answer: Callable[[str, str], str | None] = lambda command, usual: usual,
        told: Mapping[str, str] | None = None,
    ) -> AsteriskChannel:
        """The program with the channel on its pipes. ``answer`` may put another line, or none, for the usual one."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
        process = subprocess.Popen(
            [*program, *arguments],
            cwd=CHECKOUT, env=inherited | dict(environment),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        usual = {**ENVIRONMENT, "agi_extension": self.extension, "agi_callerid": self.caller_id}
        greeting = usual if told is None else told
        try:
            lines = "".join(f"{name}: {value}\n" for name, value in greeting.items())
            process.stdin.write((lines + "\n").encode())
            process.stdin.flush()
            for raw in process.stdout:
                command = raw.decode().rstrip("\n")
                self.commands.append(command)
                line = answer(command, self._answer(command))
                if line is None:
                    break
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
        except BrokenPipeError:
            pass
        finally:
            process.stdin.close()
            self.errors = process.stderr.read().decode()
            process.stdout.close()
            process.stderr.close()
            self.status = process.wait(30)
        return self

    def _answer(self, command: str) -> str:
        if self.hung_up is not None:
            return "511 Command Not Permitted on a dead channel or intercept routine"
        got = re.fullmatch(r"GET VARIABLE (\w+)", command)
        if got is not None:
            value = self.variables.get(got[1])
            return "200 result=0" if value is None else f"200 result=1 ({value})"
        put = re.fullmatch(r'SET VARIABLE (\w+) "([^"]*)"', command)
        if put is not None:
            self.variables[put[1]] = put[2]
            return "200 result=1"
        longest = re.fullmatch(r"SET AUTOHANGUP (\d+)", command)
        if longest is not None:
            self.longest_seconds = int(longest[1])
            return "200 result=0"
        cause = re.fullmatch(r"EXEC Hangup (\d+)", command)
        if cause is not None:
            self.hung_up = int(cause[1])
            return "200 result=-1"
        if command == "HANGUP":
            self.hung_up = 16
            return "200 result=1"
        return "510 Invalid or unknown command"


def channel(extension: str, caller_id: str = "+12125550100", **variables: str) -> AsteriskChannel:
    """A new channel that would dial the extension."""
    return AsteriskChannel(dict(variables), extension, caller_id)
