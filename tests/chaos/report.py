"""The figures of a run, for people."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.findings import PROMISES, Findings

PAGE_HEAD = """# Figures of chaos

What `make chaos SEED=… MINUTES=… PAGE=docs/chaos.md` wrote here, a section for each seed. One that is run again
takes its own place. [Reliability](reliability.md) says what breaks, who decides, and how a violation is read.
"""


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


def page(findings: Findings, seed: int, minutes: float, left_out: dict[str, str]) -> Iterator[str]:
    """The same as a page of Markdown: lines of one run, under a heading with its seed."""
    operations = _by_operation(findings)
    answers = sum(sum(counted.values()) for counted in operations.values())
    broken = sum(found.times for found in findings.found.values())
    yield f"## Seed {seed}, {minutes:g} minutes"
    yield ""
    yield f"{sum(findings.faults.values())} faults, {answers:,} answers, {broken} violations."
    yield from (f"Left out: `{name}`, since {why}." for name, why in left_out.items())
    yield ""
    yield "| asked | 2xx | 3xx | 4xx | 503 | no answer |"
    yield "|---|--:|--:|--:|--:|--:|"
    for operation, counted in sorted(operations.items()):
        kinds = _kinds(counted)
        told = " | ".join(f"{kinds[kind]:,}" for kind in ("2xx", "3xx", "4xx", "503", "silence"))
        yield f"| {operation} | {told} |"
    yield ""
    yield "| fault | times | all decided again after, s |"
    yield "|---|--:|--:|"
    for fault, times in sorted(findings.faults.items()):
        healed = findings.healed.get(fault, [])
        yield f"| {fault} | {times} | {f'{max(healed):.1f}' if healed else '-'} |"
    yield ""
    yield "| promise | broken |"
    yield "|---|--:|"
    for kind, promise in PROMISES.items():
        found = findings.found.get(kind)
        yield f"| {promise} | {found.times if found else 0} |"
    yield ""
    yield from (f"- {what}: {times:,}" for what, times in sorted(findings.notes.items()))


def keep_page(path: Path, seed: int, lines: list[str]) -> None:
    """Puts a run into the page of figures, in place of the last one of its seed; the others stay as they are."""
    text = path.read_text(encoding="utf-8") if path.exists() else PAGE_HEAD
    head, *runs = re.split(r"(?m)^(?=## Seed )", text)
    kept = [run.strip() for run in runs if not run.startswith(f"## Seed {seed},")]
    parts = [head.strip(), *kept, "\n".join(lines).strip()]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _kinds(counted: Counter[str]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for what, times in counted.items():
        kinds[what if what in ("503", "silence") else f"{what[0]}xx"] += times
    return kinds


def _by_operation(findings: Findings) -> dict[str, Counter[str]]:
    by_operation: dict[str, Counter[str]] = defaultdict(Counter)
    for counted in findings.answers.values():
        for name, times in counted.items():
            operation, _, what = name.rpartition(" ")
            by_operation[operation][what] += times
    return by_operation


def _answers(findings: Findings) -> Iterator[str]:
    by_operation = _by_operation(findings)
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
