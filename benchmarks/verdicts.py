"""How often the verdicts on texts and replies are right, by material that nobody here wrote.

Run ``python -m benchmarks.verdicts [FOLDER]``. The folder (``../shared/data`` where none is named) holds
``smishing_design.csv``, ``honest_texts.json``, ``opt_out_cases.json`` and ``sms_smart_encoding.json``; it is
no part of the project. Shares come with Wilson's interval at 95 %. ``--show`` lists the texts behind them.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.content import ContentScanner
from app.content.segments import count_segments
from app.guardrail.facts import AccountPolicy, ContentPolicy
from app.replies.classify import classify_inbound
from benchmarks.tricks import MORE_TRICKS, TRICKS
from tests.content.texts import MUST_BLOCK, MUST_PASS

DEFAULT = AccountPolicy()
# As docs/content.md recommends: the account's name and domain, and no other links.
CONFIGURED = AccountPolicy(
    names=("Acme Dental",), domains=("acme.example",), content=ContentPolicy(severities={"link.offbrand": "block"})
)  # fmt: skip
DISGUISED_TEXTS = 30
# One word that each language's readers send to leave; the biggest markets of application-to-person texts.
KEYWORDS = {
    "English": "stop", "Spanish": "alto", "French": "arrêt", "German": "abmelden", "Portuguese": "sair",
    "Italian": "annulla", "Dutch": "afmelden", "Polish": "rezygnuję", "Russian": "стоп", "Turkish": "iptal",
    "Arabic": "إيقاف", "Hindi": "बंद", "Chinese": "退订", "Japanese": "停止", "Korean": "수신거부",
    "Vietnamese": "hủy", "Indonesian": "berhenti", "Tagalog": "itigil", "Swedish": "avsluta", "Greek": "διακοπή",
}  # fmt: skip


class Table:
    """Lines of shares, and the texts behind them where they are wanted."""

    def __init__(self, show: bool) -> None:
        self._show = show
        sys.stdout.write("| what | share | 95 % | of |\n|---|---|---|---|\n")

    def line(self, what: str, hits: int, of: int, texts: Iterable[str] = ()) -> None:
        low, high = wilson(hits, of)
        share = hits / of if of else 0.0
        sys.stdout.write(f"| {what} | {share:.1%} | {low:.1%} to {high:.1%} | {of} |\n")
        if self._show:
            for text in texts:
                sys.stdout.write(f"    {text}\n")


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The interval in which the true share lies, 95 times of a hundred."""
    if not of:
        return 0.0, 1.0
    z, p = 1.96, hits / of
    middle, spread = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + z * z / of)), min(1.0, (middle + spread) / (1 + z * z / of))


def _json(path: Path) -> Any:
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return loaded["cases"] if isinstance(loaded, dict) else loaded


def smishing(table: Table, scanner: ContentScanner, folder: Path) -> None:
    """Real smishing, by an account without a policy and by one that is configured as recommended."""
    with (folder / "smishing_design.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"][:1600] for row in csv.DictReader(file)]
    results = [scanner.scan(text, DEFAULT, False) for text in texts]
    passed = [text for text, result in zip(texts, results, strict=True) if not result.blocks]
    silent = [text for text, result in zip(texts, results, strict=True) if not result.findings]
    table.line("smishing blocked, default policy", len(texts) - len(passed), len(texts))
    table.line("smishing silent, default policy", len(silent), len(texts), silent)
    warned = [text for text in passed if text not in silent]
    table.line("smishing warned only, default policy", len(warned), len(texts), warned)
    passed = [text for text in texts if not scanner.scan(text, CONFIGURED, False).blocks]
    table.line("smishing blocked, configured", len(texts) - len(passed), len(texts))


def honest(table: Table, scanner: ContentScanner, folder: Path) -> None:
    """Honest texts near the rules, as their sender's account is configured, and bare."""
    texts = _json(folder / "honest_texts.json")
    for name in ("configured", "bare"):
        blocked, warned = [], 0
        for each in texts:
            policy = DEFAULT
            if name == "configured":
                policy = AccountPolicy(
                    names=(each["name"],), domains=(each["domain"],) if each["domain"] else ()
                )
            found = scanner.scan(each["text"], policy, False).findings
            rules = sorted({finding.rule for finding in found if finding.severity == "block"})
            if rules:
                blocked.append(f"{rules} {each['text']}")
            warned += any(finding.severity == "warn" for finding in found)
        table.line(f"honest texts blocked, {name}", len(blocked), len(texts), blocked)
        table.line(f"honest texts warned of, {name}", warned, len(texts))
    own = [text for _, text in MUST_PASS if scanner.scan(text, DEFAULT, False).blocks]
    table.line("texts of tests/content/must_pass.txt blocked", len(own), len(MUST_PASS), own)


def disguised_texts() -> list[str]:
    """The texts whose disguises are counted: evenly from those of the tests that words block."""
    words = [text for rule, text in MUST_BLOCK if not rule.startswith(("link.", "sensitive.", "evasion."))]
    return words[:: max(1, len(words) // DISGUISED_TEXTS)][:DISGUISED_TEXTS]


def disguises(table: Table, scanner: ContentScanner) -> None:
    """Texts that are blocked, disguised in twenty ways, and in more."""
    chosen = disguised_texts()
    for what, tricks in (("disguised", TRICKS), ("further tricks", MORE_TRICKS)):
        total = 0
        for name, trick in tricks.items():
            passed = [text for text in map(trick, chosen) if not scanner.scan(text, DEFAULT, False).blocks]
            total += len(chosen) - len(passed)
            table.line(f"{what}, still blocked: {name}", len(chosen) - len(passed), len(chosen), passed)
        table.line(f"{what}, still blocked: all {len(tricks)}", total, len(chosen) * len(tricks))


def replies(table: Table, folder: Path) -> None:
    """Opt-outs that are recognised, and what is taken for one."""
    cases = _json(folder / "opt_out_cases.json")
    wished = [case for case in cases if case["expected"] == "opt_out"]
    taken = [case for case in cases if classify_inbound(case["text"]).action == "opt_out"]
    both = [case for case in wished if case in taken]
    missed = [f"{case['language']}: {case['text']}" for case in wished if case not in taken]
    wrong = [f"{case['language']}: {case['text']}" for case in taken if case not in wished]
    table.line("replies: recall", len(both), len(wished), missed)
    table.line("replies: precision", len(both), len(taken), wrong)
    known = [name for name, word in KEYWORDS.items() if classify_inbound(word).action == "opt_out"]
    table.line("keywords of twenty languages", len(known), len(KEYWORDS), set(KEYWORDS) - set(known))


def encoding(table: Table, folder: Path) -> None:
    """Characters for which a well-known gateway has a replacement in GSM-7."""
    cases = _json(folder / "sms_smart_encoding.json")
    agree, none, dropped = [], [], []
    for case in cases:
        suggestion = count_segments(f"a{case['input']}b").suggestion
        if suggestion is None:
            none.append(case["name"])
        elif suggestion == f"a{case['expected']}b":
            agree.append(case["name"])
        elif suggestion == "ab":
            dropped.append(case["name"])
    table.line("GSM-7 advice: the same", len(agree), len(cases))
    table.line("GSM-7 advice: none", len(none), len(cases), none)
    table.line("GSM-7 advice: dropped", len(dropped), len(cases), dropped)


def main(folder: Path, show: bool, small: bool) -> None:
    """Print the table; when small, only what needs no outside material."""
    scanner = ContentScanner.load()
    table = Table(show)
    if small:
        disguises(table, scanner)
        return
    smishing(table, scanner, folder)
    honest(table, scanner, folder)
    disguises(table, scanner)
    replies(table, folder)
    encoding(table, folder)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=Path("../shared/data"))
    arguments.add_argument("--show", action="store_true", help="the texts behind each share")
    arguments.add_argument(
        "--small", action="store_true", help="the disguises alone, without any outside material"
    )
    given = arguments.parse_args()
    main(given.folder, given.show, given.small)
