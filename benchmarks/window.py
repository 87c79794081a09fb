"""What a calling-window decision costs: ``python -m benchmarks.window``.

CPU time of one process: best of several rounds for the mean, every single call for the percentiles. The naive
way works out the wall time of each rule on each clock for every decision, and finds when the verdict turns by
trying minute after minute.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from rich.console import Console
from rich.table import Table

from app.calling_window import evaluate, open_intervals
from app.frequency.caps_in_force import caps_in_force
from app.guardrail.facts import Facts, Intent
from app.law import window_loader as calling_windows
from app.law.applicable import applicable_rules
from app.law.window_rules import WindowRules
from app.numbering import load, locate, parse_number
from app.numbering.zones import zone

OPEN, SHUT = datetime(2026, 12, 1, 18, tzinfo=UTC), datetime(2026, 12, 2, 6, tzinfo=UTC)
NUMBERS = (
    ("one clock, no state rule", "+14155551234"),
    ("two clocks, a state rule", "+18505550123"),
    ("both clocks of Mississippi", "+16015550123"),
    ("seven clocks of 867", "+18675550123"),
    ("a French mobile", "+33612345678"),
)
_START = """
import resource, time
began = time.process_time()
from app.numbering import load
from app.law import window_loader as calling_windows
imported = time.process_time()
load()
calling_windows.load().prepare((2026, 2027))
loaded = time.process_time()
with open("/proc/self/statm") as statm:
    resident = int(statm.read().split()[1]) * resource.getpagesize() / 1e6
print(imported - began, loaded - imported, resident)
"""


def naive(intent: Intent, number: str, rules: WindowRules, at: datetime) -> bool:
    """The verdict with nothing kept, and the minute at which it turns, found the long way."""
    here = applicable_rules(intent, locate(parse_number(number), None, False), Facts().policy, rules)

    def is_open(moment: datetime) -> bool:
        for item in here.bound:
            for clock in item.clocks:
                local = moment.astimezone(zone(clock))
                minute = local.hour * 60 + local.minute
                if not any(start <= minute < end for start, end in item.rule.hours.on(local.date())):
                    return False
        return True

    opened = is_open(at)
    moment = at.replace(second=0, microsecond=0)
    while is_open(moment) == opened:
        moment += timedelta(minutes=1)
    return opened


def microseconds(call: Callable[[], object], count: int) -> tuple[float, float, float]:
    """Mean of the best round, p50 and p99 of single calls, in microseconds of CPU."""
    call()
    best = float("inf")
    for _ in range(5):
        began = time.process_time_ns()
        for _ in range(count):
            call()
        best = min(best, (time.process_time_ns() - began) / count / 1000)
    single = []
    for _ in range(count):
        began = time.thread_time_ns()
        call()
        single.append((time.thread_time_ns() - began) / 1000)
    single.sort()
    return best, single[len(single) // 2], single[len(single) * 99 // 100]


def main(share: float) -> None:
    """Print the tables."""
    console = Console(width=100)
    load()
    rules = calling_windows.load()
    rules.prepare((2026, 2027))
    table = Table(title="One decision, warm, in µs of CPU", title_justify="left")
    for name in ("number", "verdict", "mean", "p50", "p99", "naive", "naive / engine"):
        table.add_column(name, justify="left" if name in ("number", "verdict") else "right")
    facts = Facts()
    for label, number in NUMBERS:
        places = locate(parse_number(number), None, False)
        intent = Intent("call", number, "+12125550100")
        for at in (OPEN, SHUT):
            verdict = evaluate(intent, places, facts, rules, at).check.outcome
            engine = partial(evaluate, intent, places, facts, rules, at)
            mean, p50, p99 = microseconds(engine, int(2000 * share))
            slow, _, _ = microseconds(partial(naive, intent, number, rules, at), max(1, int(5 * share)))
            table.add_row(
                label, verdict, *(f"{value:.1f}" for value in (mean, p50, p99, slow)), f"{slow / mean:.0f}"
            )
    console.print(table)

    parts = Table(title="The rest of the room, in µs of CPU", title_justify="left")
    parts.add_column("step")
    parts.add_column("mean", justify="right")
    number = "+18505550123"
    places = locate(parse_number(number), None, False)
    intent = Intent("call", number, "+12125550100")
    steps: list[tuple[str, Callable[[], object], int]] = [
        ("parse and locate, number seen before", lambda: locate(parse_number(number), None, False), 5000),
        ("caps in force", lambda: caps_in_force(intent, places, facts, rules, OPEN), 2000),
        ("look ahead, 7 days", lambda: open_intervals(intent, places, facts, rules, OPEN, 7), 50),
    ]
    for label, call, count in steps:
        parts.add_row(label, f"{microseconds(call, max(1, int(count * share)))[0]:.1f}")
    console.print(parts)

    ran = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    imported, loaded, resident = (float(word) for word in ran.stdout.split())
    start = Table(title="Start-up of numbering and rules in a fresh process", title_justify="left")
    start.add_column("what")
    start.add_column("figure", justify="right")
    start.add_row("import, s of CPU", f"{imported:.2f}")
    start.add_row("load all tables, s of CPU", f"{loaded:.2f}")
    start.add_row("share of the 2 s allowed", f"{(imported + loaded) / 2:.0%}")
    start.add_row("resident memory, MB", f"{resident:.0f}")
    start.add_row("share of the 250 MB allowed", f"{resident / 250:.0%}")
    start.add_row(
        "peak of this benchmark, MB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"
    )
    console.print(start)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    main(0.01 if arguments.parse_args().small else 1.0)
