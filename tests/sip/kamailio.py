"""Kamailio with the configuration of examples/kamailio, as a process on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kamailio"
START_SECONDS = 15.0
PROBE = (
    "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKprobe{own}\r\n"
    "From: <sip:probe@127.0.0.1>;tag=probe\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: probe-{own}\r\n"
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def free_udp_port() -> int:
    """A UDP port on loopback that nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Kamailio:
    """The proxy in front of one Callgate and one carrier; definitions are what `-A` sets in kamailio.cfg."""

    def __init__(
        self, directory: Path, callgate_url: str, key: str, carrier_port: int, **definitions: str
    ) -> None:
        self.port = free_udp_port()
        self.directory = directory / f"kamailio-{self.port}"
        self.directory.mkdir()
        self.log_file = self.directory / "log"
        chosen = {
            "LISTEN": f"udp:127.0.0.1:{self.port}",
            "CARRIER": f'"sip:127.0.0.1:{carrier_port}"',
            "CONNECTOR": f'"{EXAMPLE / "callgate.py"}"',
            **definitions,
        }
        command = ["kamailio", "-f", str(EXAMPLE / "kamailio.cfg"), "-DD", "-E", "-m", "64", "-M", "8"]
        command += ["-Y", str(self.directory)]
        for name, value in chosen.items():
            command += ["-A", f"{name}={value}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
        environment |= {
            "CALLGATE_URL": callgate_url,
            "CALLGATE_KEY": key,
            "CALLGATE_LEASE_SECONDS": "30",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait_until_it_answers()

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_file.read_text(errors="replace")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"kamailio ended:\n{self.log}"
            if self.answers():
                return
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"kamailio does not answer:\n{self.log}")

    def answers(self, seconds: float = 0.2) -> bool:
        """Whether it answers an OPTIONS within the time."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(seconds)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(PROBE.format(port=self.port, own=probe.getsockname()[1]).encode())
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False

    def stop(self) -> None:
        """Ends it and its children in good order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"kamailio did not end:\n{self.log}") from None

    def __enter__(self) -> Kamailio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
