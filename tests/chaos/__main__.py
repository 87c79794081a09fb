"""`python -m tests.chaos`: the run. Exits with 1 on any violation, 2 when the harness itself fails."""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.clients import Load
from tests.chaos.faults import FAULTS, Planned, left_out, schedule
from tests.chaos.findings import Findings
from tests.chaos.reckoning import reckon
from tests.chaos.report import keep_page, page, report
from tests.chaos.world import NothingHelps, World


def say(line: str) -> None:
    """To whoever watches, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the schedule and of every draw; a new one unless given")
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="of load and faults, without start and reckoning"
    )
    parser.add_argument("--faults", default="", help="only these, by comma; all unless given")
    parser.add_argument("--clients", type=int, default=8, help="threads of the load")
    parser.add_argument("--logs", type=Path, help="where the replicas' logs go after a violation")
    parser.add_argument("--page", type=Path, help="a page of Markdown that the figures are put into")
    parser.add_argument("--list", action="store_true", help="name the faults and do nothing")
    chosen = parser.parse_args(given)
    unknown = {name for name in chosen.faults.split(",") if name} - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    return chosen


def main(given: Sequence[str] | None = None) -> int:
    """A whole run."""
    chosen = arguments(given)
    if chosen.list:
        for name, fault in FAULTS.items():
            say(f"{name:18} {(fault.__doc__ or '').strip()}")
        return 0
    seed = random.SystemRandom().randrange(1_000_000) if chosen.seed is None else chosen.seed
    names = [name for name in FAULTS if not chosen.faults or name in chosen.faults.split(",")]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended then, too
    findings = Findings(say)
    findings.log(f"seed {seed}, {chosen.minutes:g} minutes, {chosen.clients} clients")
    world = World.build(findings)
    load = Load(world, seed, chosen.clients)
    out = left_out(world)
    try:
        try:
            until = time.monotonic() + chosen.minutes * 60
            load.start()
            _break_things(world, load, seed, [name for name in names if name not in out], until)
        finally:
            findings.enter("the end")
            load.stop()
        world.heal("the end")
        reckon(world, load)
    except NothingHelps as why:
        findings.log(f"nothing helps, so the run ends here: {why}")
    finally:
        if findings.found:
            _keep_logs(world, chosen.logs)
        world.close()
    for line in report(findings, seed, out):
        say(line)
    if chosen.page is not None:
        keep_page(chosen.page, seed, list(page(findings, seed, chosen.minutes, out)))
    for crash in load.crashes:
        say(f"a client of the harness failed:\n{crash}")
    return 2 if load.crashes else 1 if findings.found else 0


def _break_things(world: World, load: Load, seed: int, names: list[str], until: float) -> None:
    for planned in schedule(seed, names):
        world.findings.enter("no fault")
        time.sleep(planned.pause)
        world.look_after()
        if time.monotonic() >= until or load.crashes:
            return
        _one(world, planned, seed)


def _one(world: World, planned: Planned, seed: int) -> None:
    findings, rng = world.findings, planned.rng(seed)
    findings.faults[planned.title] += 1
    findings.enter(planned.title)
    try:
        _break(world, planned, rng)
    except AssertionError as error:  # a replica that does not start
        findings.violation("did not heal", str(error)[:400])
        world.stores.mend()
    began = time.monotonic()
    world.heal(planned.title)
    findings.log(f"     over, and all decided after {time.monotonic() - began:.1f} s")


def _break(world: World, planned: Planned, rng: random.Random) -> None:
    findings = world.findings
    with ExitStack() as broken:
        told = broken.enter_context(FAULTS[planned.name](world, rng))
        findings.log(f"{planned.place:4} {planned.name}: {told}, for {planned.hold:.1f} s")
        if planned.on_top is not None:
            time.sleep(planned.hold / 3)
            told = broken.enter_context(FAULTS[planned.on_top](world, rng))
            findings.log(f"     on top {planned.on_top}: {told}")
        time.sleep(planned.hold)


def _keep_logs(world: World, directory: Path | None) -> None:
    kept = directory or Path(tempfile.mkdtemp(prefix="callgate-chaos-"))
    kept.mkdir(parents=True, exist_ok=True)
    for replica in world.replicas:
        with contextlib.suppress(OSError):
            world.findings.log(f"the log of {replica.name}: {replica.last_words(kept)}")


if __name__ == "__main__":
    sys.exit(main())
