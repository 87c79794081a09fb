"""SIPp as a process: one scenario, one call, and the messages that it saw."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

SCENARIOS = Path(__file__).resolve().parents[2] / "examples" / "kamailio" / "sipp"
END_SECONDS = 20.0


@dataclass(frozen=True)
class Response:
    """A SIP response: status, reason phrase, and header fields by lower-case name."""

    status: int
    reason: str
    fields: dict[str, str]


class Sipp:
    """One scenario of examples/kamailio/sipp on a port of 127.0.0.1, for so many calls at once.

    As a context manager it is ended when it has not ended by itself.
    """

    def __init__(
        self,
        scenario: str,
        directory: Path,
        port: int,
        *options: str,
        keys: dict[str, str] | None = None,
        calls: int = 1,
    ) -> None:
        self.messages = directory / f"{scenario}-{port}.messages"
        self.errors = directory / f"{scenario}-{port}.errors"
        self.output = directory / f"{scenario}-{port}.output"
        command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(port)]
        command += ["-nostdin", "-aa", "-timeout", "100", "-timeout_error"]
        command += ["-trace_msg", "-message_file", str(self.messages), "-message_overwrite", "true"]
        command += ["-trace_err", "-error_file", str(self.errors)]
        command += ["-m", str(calls), "-l", str(calls), "-r", str(calls), "-rp", "50"]
        for name, value in (keys or {}).items():
            command += ["-key", name, value]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory
            )

    def finish(self, seconds: float = END_SECONDS) -> None:
        """Waits until the call is over; fails, with what was seen, when it did not go as the scenario says."""
        try:
            status: int | str = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = "still running"
        assert status == 0, f"sipp ended with {status}\n{self.seen()}"

    def end(self) -> None:
        """Kills it if it still runs, as a machine that loses its power would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def seen(self) -> str:
        """Everything that it logged, for a failing test."""
        logs = (self.errors, self.messages)
        return "\n".join(log.read_text(errors="replace") for log in logs if log.exists())

    def responses(self) -> list[Response]:
        """What was received so far, provisional responses too, in order."""
        text = self.messages.read_text(errors="replace") if self.messages.exists() else ""
        found = re.findall(r"message received.*?\n\n(SIP/2\.0 .*?)(?=\n\n|\r\n\r\n|\Z)", text, re.DOTALL)
        return [_response(message) for message in found]

    def finals(self) -> list[Response]:
        """The final responses to INVITEs, in order."""
        return [r for r in self.responses() if r.status >= 200 and r.fields["cseq"].endswith(" INVITE")]

    def final(self) -> Response:
        """The first final response to an INVITE."""
        found = self.finals()
        assert found, self.seen()
        return found[0]

    def __enter__(self) -> Sipp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _response(message: str) -> Response:
    first, *rest = message.splitlines()
    _, status, reason = first.split(" ", 2)
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
    }
    return Response(int(status), reason, fields)
