"""The protocol's own conformance suite beside our tools, where node is at hand.

Of its scenarios these are about any server; the others want tools, prompts and resources that only its example has.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import uvicorn

from app.mcp.ask_gate import GateClient
from app.mcp.http import tools_over_http
from app.mcp.read_only_tools import read_only_server

SUITE = "@modelcontextprotocol/conformance@0.1.13"  # later ones want a node newer than Debian's
SCENARIOS = ("server-initialize", "ping", "tools-list", "dns-rebinding-protection")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite's command, installed for this run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not here")
    place = tmp_path_factory.mktemp("conformance")
    got = subprocess.run(
        [npm, "install", "--no-save", "--silent", SUITE],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=200,
    )
    if got.returncode != 0:
        pytest.skip(f"the suite cannot be installed: {got.stderr[-200:]}")
    return place / "node_modules" / ".bin" / "conformance"


def run(suite: Path, url: str, scenario: str, place: Path) -> subprocess.CompletedProcess[str]:
    """One scenario; the suite writes what it found to the place."""
    return subprocess.run(
        [suite, "server", "--url", url, "--scenario", scenario],
        cwd=place, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.timeout(300)
async def test_the_tools_pass_the_protocols_suite(suite: Path, tmp_path: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    # The suite has no key to present: this is what stands behind the door.
    app = tools_over_http(
        read_only_server(GateClient("http://127.0.0.1:9"), lambda _: "cg_x"), "127.0.0.1", port, []
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        for scenario in SCENARIOS:
            ran = await asyncio.to_thread(run, suite, f"http://127.0.0.1:{port}/mcp", scenario, tmp_path)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert ", 0 failed" in ran.stdout, ran.stdout
    finally:
        server.should_exit = True
        await serving
