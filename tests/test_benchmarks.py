"""Every benchmark that a document or the Makefile names runs to its end, at a small size."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.service import CHECKOUT

pytestmark = pytest.mark.alone  # stores under full load answer too late for what they measure
BENCHMARKS = (
    "intents",
    "window",
    "content",
    "channels",
    "registry",
    "imports",
    "lists",
    "counts",
    "verdicts",
    "law",
    "evidence",
    "console",
    "layouts",
    "scaling",
    "costs",
    "storage",
    "spikes",
)
# Longer than a quarter of a minute each. What they measure with is run by tests/test_scaling.py and the console's walk.
LONG = ("layouts", "scaling", "console")


def test_every_documented_benchmark_is_among_those_that_are_run() -> None:
    texts = [
        CHECKOUT / "Makefile",
        CHECKOUT / "README.md",
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / "benchmarks").glob("*.py"),
    ]
    named: set[str] = set()
    for text in texts:
        named |= set(re.findall(r"(?:python -m benchmarks\.|\bbench-)([a-z]+)", text.read_text()))
    assert named == set(BENCHMARKS)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in BENCHMARKS]
)
def test_it_runs_to_its_end(name: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--small"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=380)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    in_a_table = done.stdout.count("|") + done.stdout.count("│") > 5
    assert in_a_table or "rows" in done.stdout or "median" in done.stdout, "it printed its figures"
