"""One side of ``benchmarks.content --base``: scans what it is handed, of whichever checkout it is told to import.

A line of JSON in names the texts; each line after it is a turn, answered with the mean of the least microseconds of
processor time that each text has cost so far.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any


def _module(*names: str) -> Any:
    """The first of these that the checkout has: rooms have been renamed."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise SystemExit(f"the checkout has none of {', '.join(names)}")


def main(root: str, scans: int) -> None:
    """Answer until the input ends."""
    sys.path.insert(0, root)
    scanner = _module("app.content", "app.guardrails.content").ContentScanner.load()
    facts = _module("app.guardrail.facts", "app.guardrails.facts")
    policy = facts.AccountPolicy(names=("Acme Dental",), domains=("acme.example",))
    texts: dict[str, list[str]] = json.loads(sys.stdin.readline())
    least = {name: [float("inf")] * len(group) for name, group in texts.items()}

    def turn() -> dict[str, float]:
        for name, group in texts.items():
            found = least[name]
            for at, text in enumerate(group):
                for _ in range(scans):
                    start = time.thread_time_ns()
                    scanner.scan(text, policy, False)
                    found[at] = min(found[at], (time.thread_time_ns() - start) / 1e3)
        return {name: sum(found) / len(found) for name, found in least.items()}

    sys.stdout.write(json.dumps(turn()) + "\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(turn()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
