"""What the comparison of two packs and a replay cost: ``python -m benchmarks.law [OLD] [--small]``.

OLD is another pack, by default the packaged one with Wyoming's and Florida's hours moved. CPU time of one process.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from rich.console import Console

from app.guardrail.facts import AccountPolicy
from app.intents.law.replay import Recorded, Replay
from app.law import window_loader
from app.law.verdict_diff import places_of_the_world, verdicts_that_differ
from app.numbering import load

DECISIONS = 1_000_000
DAY, START = 86_400, 1_793_491_200  # 1 November 2026


def moved(directory: Path) -> Path:
    """The packaged rules with other hours in two states."""
    pack = Path(shutil.copytree(window_loader.DIRECTORY, directory / "moved"))
    file = pack / "windows" / "us.toml"
    text = file.read_text()
    for state in ("US-WY", "US-FL"):
        head, tail = text.split(f'id = "{state}"\n', 1)
        text = f'{head}id = "{state}"\n' + tail.replace("08:00-20:00", "09:00-19:00", 3)
    file.write_text(text)
    return pack


def main() -> None:
    """Print both."""
    out = Console(width=120)
    given = [word for word in sys.argv[1:] if word != "--small"]
    decisions = DECISIONS // 50 if "--small" in sys.argv else DECISIONS
    locator = load()
    new = window_loader.load()
    with tempfile.TemporaryDirectory() as kept:
        old = window_loader.load(Path(given[0]) if given else moved(Path(kept)))
    began = time.process_time()
    changes = verdicts_that_differ(old, new, places_of_the_world(locator.regions), date(2026, 11, 24))
    out.print(f"diff: {len(changes)} differences in {time.process_time() - began:.1f} s")
    chance = random.Random(12)
    codes = [code for code, known in locator.area_codes.by_code.items() if known.country in ("US", "CA")]
    rows = [
        Recorded(
            START + chance.randrange(30 * DAY),
            chance.choice(("call", "call", "sms")),
            f"+1{chance.choice(codes)}555{chance.randrange(10_000):04d}",
            "marketing",
            f"campaign {chance.randrange(20)}",
            "live",
            None,
            None,
        )
        for _ in range(decisions)
    ]
    began = time.process_time()
    replay = Replay(old, new, locator, AccountPolicy())
    replay.feed(rows)
    spent = time.process_time() - began
    differing = sum(tally.blocked + tally.opened for tally in replay.tallies.values())
    each = f"{decisions / spent:,.0f} a second"
    out.print(f"replay: {decisions} rows, {differing} differ, in {spent:.1f} s: {each}")


if __name__ == "__main__":
    main()
