"""What a scan costs, beside a stdlib alternation of the same phrases and better-profanity.

Run ``python -m benchmarks.content``. Times are microseconds of processor time a message, so that
neighbours on the machine do not count; the ratio is to our own scan of the same text. With ``--base COMMIT`` a
temporary checkout of that commit scans the same texts by turns with this one, and the last table is the ratio.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from better_profanity import profanity

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from tests.content.mangling import TRANSFORMATIONS
from tests.content.texts import MUST_BLOCK, MUST_PASS

POLICY = AccountPolicy(names=("Acme Dental",), domains=("acme.example",))
ASCII_160 = (
    "Acme Dental: your cleaning with Dr. Lee is on Tuesday 3/4 at 2:30 PM. Reply C to confirm or call us at "
    "(206) 555-0143 to change it. Map: https://acme.example/x"
).ljust(160, "!")
# Every trigger at once: marks, invisibles, foreign letters, single letters, digits, dots, phrases, links.
WORST_1600 = (
    "c\u0430s\u200bіno v\u0336a\u0336p\u0336e w.o.n p r i z e fr33 sp1ns ｆｒｅｅ 𝐂𝐁𝐃 4111 1111 1111 "
    "111 bit.ly/x "
    "1.2.3.4/a evil[.]com +1 206 555 014 🎰a🎰 "
) * 20
HOSTILE_1600 = {
    "mixed worst case": WORST_1600[:1600],
    "one letter, 1600 times": "a" * 1600,
    "dots": "." * 1600,
    "a.a.a": "a." * 800,
    "digits": "4 " * 800,
    "at signs": "a@" * 800,
    "plus signs": "a+" * 800,
    "brackets": "a[." * 533,
    "zero": "a0" * 800,
    "combining marks": "a" + "\u0336" * 1599,
    "casino": "casino " * 228,
    "http": "http://" * 228,
}
Work = Callable[[str], object]
TURNS, SCANS_A_TURN = 12, 4


def _each(work: Work, texts: list[str], seconds: float) -> list[float]:
    """Microseconds of single calls, at least as many as there are texts, for about the seconds given."""
    for text in texts[:20]:
        work(text)
    spent: list[float] = []
    until = time.perf_counter() + seconds
    while len(spent) < len(texts) or time.perf_counter() < until:
        text = texts[len(spent) % len(texts)]
        start = time.thread_time_ns()
        work(text)
        spent.append((time.thread_time_ns() - start) / 1e3)
        if len(spent) >= len(texts) and time.perf_counter() >= until:
            break
    return sorted(spent)


def _percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def main(seconds: float, most_texts: int) -> None:
    """Print the tables."""
    out = sys.stdout.write
    start = time.perf_counter()
    scanner = ContentScanner.load()
    out(f"load and compile all packs: {time.perf_counter() - start:.2f} s, version {scanner.version}\n\n")
    phrases = sorted(
        {text for phrase in scanner.packs.phrases for text in phrase.texts}, key=len, reverse=True
    )
    start = time.perf_counter()
    alternation = re.compile(r"\b(?:" + "|".join(map(re.escape, phrases)) + r")\b", re.IGNORECASE)
    out(f"{len(phrases)} phrases; the alternation compiles in {time.perf_counter() - start:.2f} s\n\n")
    profanity.load_censor_words()

    def ours(text: str) -> object:
        return scanner.scan(text, POLICY, False)

    honest = [text for _, text in MUST_PASS][:most_texts]
    all_texts = honest + [text for _, text in MUST_BLOCK][:most_texts]
    engines: list[tuple[str, Work]] = [
        ("callgate, whole scan", ours),
        ("re alternation, phrases only", lambda text: alternation.findall(text)),
        ("better-profanity", profanity.contains_profanity),
    ]
    out("| text | engine | p50 us | p99 us | ratio of p50 |\n|---|---|---|---|---|\n")
    for name, texts in (("160 ASCII characters", [ASCII_160]), ("must-pass texts", honest)):
        base = 0.0
        for engine, work in engines:
            spent = _each(work, texts if engine != "better-profanity" else texts[:40], seconds)
            p50 = _percentile(spent, 0.5)
            base = base or p50
            out(f"| {name} | {engine} | {p50:.0f} | {_percentile(spent, 0.99):.0f} | {p50 / base:.1f} |\n")
    spent = _each(ours, all_texts, seconds)
    out(f"| all test texts | callgate | {_percentile(spent, 0.5):.0f} | {_percentile(spent, 0.99):.0f} | |\n")
    mangled = [mangle(text) for _, text in MUST_BLOCK[:most_texts] for mangle in TRANSFORMATIONS.values()]
    spent = _each(ours, mangled, seconds)
    out(
        f"| disguised texts | callgate | {_percentile(spent, 0.5):.0f} | {_percentile(spent, 0.99):.0f} | |\n"
    )
    out("\n| hostile text | least us at 800 | at 1600 | growth |\n|---|---|---|---|\n")
    for name, text in HOSTILE_1600.items():
        # The least of each: a processor whose clock changes between the two would look like another growth.
        half, whole = (_each(ours, [t], seconds / 5)[0] for t in (text[:800], text[:1600]))
        out(f"| {name} | {half:.0f} | {whole:.0f} | {whole / half:.1f} |\n")


def beside_base(commit: str, turns: int) -> None:
    """Print what each of the two costs, by turns in processes of their own, and the ratio.

    Of each text the least of all turns counts: a neighbour on the machine makes a turn dearer, and none cheaper.
    """
    texts = {
        "160 ASCII characters": [ASCII_160],
        "must-pass texts": [text for _, text in MUST_PASS],
        "all test texts": [text for _, text in (*MUST_PASS, *MUST_BLOCK)],
    }
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=here.parent, check=True, capture_output=True)
        subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
        sides = [
            subprocess.Popen(
                [sys.executable, "-P", str(here / "content_turns.py"), str(root), str(SCANS_A_TURN)],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for root in (Path(folder), here.parent)
        ]
        least: list[dict[str, float]] = [{}, {}]
        try:
            for side in sides:
                _ask(side, texts)
            for _ in range(turns):
                for at, side in enumerate(sides):
                    least[at] = _ask(side, None)
        finally:
            for side in sides:
                side.communicate()
    sys.stdout.write(f"| text | {commit} us | here us | ratio |\n|---|---|---|---|\n")
    for name in texts:
        before, now = least[0][name], least[1][name]
        sys.stdout.write(f"| {name} | {before:.1f} | {now:.1f} | {now / before:.2f} |\n")


def _ask(side: subprocess.Popen[str], what: object) -> dict[str, float]:
    if side.stdin is None or side.stdout is None:
        raise AssertionError("both are pipes")
    side.stdin.write(json.dumps(what) + "\n")
    side.stdin.flush()
    line = side.stdout.readline()
    if not line:
        raise SystemExit("one of the two sides ended; its reason stands above")
    answer: dict[str, float] = json.loads(line)
    return answer


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--base", metavar="COMMIT", help="by turns with this commit: nothing but the ratio"
    )
    arguments.add_argument("--small", action="store_true", help="a glance at each: that it runs at all")
    given = arguments.parse_args()
    if given.base:
        beside_base(given.base, 2 if given.small else TURNS)
    elif given.small:
        main(0.01, 10)
    else:
        main(1.0, sys.maxsize)
