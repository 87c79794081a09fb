"""Debian's Asterisk as a process on loopback, with the dial plan of docs/connectors/asterisk.md."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest

from tests.service import CHECKOUT
from tests.sip.kamailio import free_udp_port

START_SECONDS = 60.0
PROGRAM = "/opt/callgate/.venv/bin/callgate"
CARRIER = "PJSIP/${EXTEN}@carrier"
MODULES = (
    "pbx_config", "app_dial", "app_verbose", "app_stack", "app_playback", "res_speech", "res_agi", "func_callerid",
    "func_channel", "func_cut", "func_logic", "func_strings", "func_timeout", "func_curl", "res_curl",
    "bridge_simple", "bridge_softmix", "codec_ulaw", "res_rtp_asterisk", "res_sorcery_config",
    "res_sorcery_memory", "res_sorcery_astdb", "res_pjproject", "res_pjsip", "res_pjsip_session",
    "res_pjsip_pubsub", "res_pjsip_sdp_rtp", "res_pjsip_endpoint_identifier_ip", "res_pjsip_caller_id",
    "res_pjsip_logger",
    "chan_pjsip",
)  # fmt: skip


def installed() -> tuple[list[str], Path, Path]:
    """How Asterisk is started, where its modules and its data are; skips with what to do where there is none."""
    named = os.environ.get("CALLGATE_TEST_ASTERISK", "")
    if not named:
        pytest.skip("make test-asterisk unpacks Debian's Asterisk, and says where it is")
    root = Path(named)
    libraries = root / "usr" / "lib" / "x86_64-linux-gnu"
    (loader,) = libraries.glob("ld-linux*.so.*")
    # By its own loader and libraries: what it starts finds those of the machine.
    start = [str(loader), "--library-path", str(libraries), str(root / "usr" / "sbin" / "asterisk")]
    return start, libraries / "asterisk" / "modules", root / "usr" / "share" / "asterisk"


def documented_dial_plan(which: int) -> str:
    """A dial plan as the page tells people to copy it: 0 with AGI, 1 without."""
    page = (CHECKOUT / "docs" / "connectors" / "asterisk.md").read_text()
    return str(re.findall(r"```ini\n(.*?)```", page, re.DOTALL)[which])


class Asterisk:
    """One Asterisk that takes calls from anywhere on loopback and dials one carrier there."""

    def __init__(
        self, directory: Path, dial_plan: str, carrier_port: int, environment: Mapping[str, str]
    ) -> None:
        start, modules, data = installed()
        self.port = free_udp_port()
        self.directory = directory
        self.log_file = directory / "log"
        program = directory / "callgate"
        program.write_text(f'#!/bin/sh\ncd "{CHECKOUT}" && exec "{sys.executable}" -m app.cli "$@"\n')
        program.chmod(0o755)
        for name in ("run", "spool", "db", "log.d", "data", "keys", "agi"):
            (directory / name).mkdir()
        for name, text in {
            "asterisk.conf": "[directories]\n"
            + f"astetcdir => {directory}\nastmoddir => {modules}\nastvarlibdir => {directory / 'data'}\n"
            + f"astdbdir => {directory / 'db'}\nastkeydir => {directory / 'keys'}\n"
            + f"astdatadir => {data}\nastagidir => {directory / 'agi'}\n"
            + f"astspooldir => {directory / 'spool'}\nastrundir => {directory / 'run'}\n"
            + f"astlogdir => {directory / 'log.d'}\n[options]\nverbose = 4\n",
            "modules.conf": "[modules]\nautoload = no\n" + "".join(f"load = {m}.so\n" for m in MODULES),
            "logger.conf": "[general]\n[logfiles]\nconsole => notice,warning,error,verbose\n",
            "rtp.conf": "[general]\nrtpstart=20000\nrtpend=20400\n",
            "extensions.conf": dial_plan.replace(PROGRAM, str(program)),
            "pjsip.conf": f"[loopback]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{self.port}\n"
            "[dialler]\ntype=endpoint\ncontext=outbound\ndisallow=all\nallow=ulaw\ndirect_media=no\n"
            "[dialler]\ntype=identify\nendpoint=dialler\nmatch=127.0.0.1\n"
            "[carrier]\ntype=aor\n"
            f"contact=sip:127.0.0.1:{carrier_port}\n"
            "[carrier]\ntype=endpoint\ncontext=nowhere\naors=carrier\ndisallow=all\nallow=ulaw\ndirect_media=no\n",
        }.items():
            (directory / name).write_text(text)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*start, "-f", "-n", "-C", str(directory / "asterisk.conf")],
                env={**inherited, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait_until_it_answers()

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_file.read_text(errors="replace")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"asterisk ended:\n{self.log}"
            if "Asterisk Ready" in self.log:
                return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"asterisk does not answer:\n{self.log}")

    def stop(self) -> None:
        """Ends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Asterisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
