"""The figures of a run, for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.findings import PROMISES, Findings


def report(findings: Findings, seed: int, left_out: dict[str, str]) -> Iterator[str]:
    """Lines: answers by operation, by fault, what healed how fast, and the violations."""
    yield ""
    yield f"seed {seed}: {sum(findings.faults.values())} faults"
    for name, why in left_out.items():
        yield f"  left out: {name}, since {why}"
    yield from _answers(findings)
    yield ""
    yield f"  {'fault':42} {'times':>6}   {'answers 201/2xx/4xx/503/silence':38} seconds until all decide"
    for fault, times in sorted(findings.faults.items()):
        healed = findings.healed.get(fault, [])
        longest = f"{max(healed):5.1f} at most" if healed else "-"
        yield f"  {fault:42} {times:6}   {_summary(findings.answers.get(fault, Counter())):38} {longest}"
    for what, times in sorted(findings.notes.items()):
        yield f"  {what}: {times}"
    yield ""
    for kind, promise in PROMISES.items():
        found = findings.found.get(kind)
        yield f"{found.times if found else 0:6}  {kind:28} {promise}"
    for kind, found in findings.found.items():
        yield ""
        yield f"{kind}: {found.times}, of these " + ", ".join(
            f"{times} under {fault}" for fault, times in found.faults.most_common(6)
        )
        yield from (f"    {example}" for example in found.examples)
    yield ""
    if findings.found:
        kinds = ", ".join(findings.found)
        yield f"FAILED: {sum(found.times for found in findings.found.values())} violations ({kinds}); seed {seed}"
    else:
        yield f"fine: no violation; seed {seed}"


def _answers(findings: Findings) -> Iterator[str]:
    by_operation: dict[str, Counter[str]] = defaultdict(Counter)
    for counted in findings.answers.values():
        for name, times in counted.items():
            operation, _, what = name.rpartition(" ")
            by_operation[operation][what] += times
    yield f"{sum(sum(counted.values()) for counted in by_operation.values())} answers"
    for operation, counted in sorted(by_operation.items()):
        told = ", ".join(f"{what}: {times}" for what, times in sorted(counted.items()))
        yield f"  {operation:12} {told}"


def _summary(counted: Counter[str]) -> str:
    total: Counter[str] = Counter()
    for name, times in counted.items():
        what = name.rpartition(" ")[2]
        kind = what if what in ("201", "503", "silence") else f"{what[0]}xx"
        total[kind] += times
    return "/".join(str(total[kind]) for kind in ("201", "2xx", "4xx", "503", "silence"))
