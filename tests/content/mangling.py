"""Twelve ways to disguise a text, each deterministic; and the table of what is still caught.

Run ``python -m tests.content.mangling`` to print the table.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from tests.content.texts import MUST_BLOCK

HOMOGLYPHS = str.maketrans("aceiopsxyABCEHIKMOPTXjhdlgwn", "асеіорѕхуАВСЕНІКМОРТХјһԁӏɡԝո")
LEET = str.maketrans("aeiostAEIOST", "431057431057")


def _each_letter(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(c) if c.isascii() and c.isalpha() else c for c in text)


def _between(text: str, sign: str) -> str:
    """A sign between any two neighbouring letters."""
    return "".join(
        c + sign if c.isalpha() and n < len(text) - 1 and text[n + 1].isalpha() else c
        for n, c in enumerate(text)
    )


def _mathematical(c: str) -> str:
    return chr(0x1D400 + ord(c) - 65) if c.isupper() else chr(0x1D41A + ord(c) - 97)


def _mixed_case(text: str) -> str:
    return "".join(c.upper() if n % 2 else c.lower() for n, c in enumerate(text))


def _doubled(text: str) -> str:
    """One letter of each word doubled, as people do who hope to slip by."""
    chance = random.Random(7)
    words = []
    for word in text.split(" "):
        places = [n for n, c in enumerate(word) if c.isascii() and c.isalpha()]
        if len(places) > 2:
            at = chance.choice(places[1:])
            word = word[: at + 1] + word[at] + word[at + 1 :]
        words.append(word)
    return " ".join(words)


TRANSFORMATIONS: dict[str, Callable[[str], str]] = {
    "homoglyphs": lambda text: text.translate(HOMOGLYPHS),
    "fullwidth": lambda text: _each_letter(text, lambda c: chr(ord(c) + 0xFEE0)),
    "mathematical": lambda text: _each_letter(text, _mathematical),
    "zero-width": lambda text: _between(text, "\u200b"),
    "combining marks": lambda text: _each_letter(text, lambda c: c + "\u0336"),
    "leet": lambda text: text.translate(LEET),
    "dots": lambda text: _between(text, "."),
    "spaces": lambda text: _between(text, " "),
    "doubled letters": _doubled,
    "mixed case": _mixed_case,
    "soft hyphens": lambda text: _between(text, "\u00ad"),
    "emoji": lambda text: _between(text, "\U0001f525"),
}
# Leet and doubled letters leave honest characters only, so less of them can be caught without harm.
BARS = {name: 0.80 if name in ("leet", "doubled letters") else 0.95 for name in TRANSFORMATIONS}


def measure(scanner: ContentScanner) -> dict[str, tuple[float, float]]:
    """Per transformation: the share still blocked, and the share still found by the text's own rule."""
    # Links and numbers are no words: mangling them leaves no link and no number.
    texts = [(rule, text) for rule, text in MUST_BLOCK if not rule.startswith(("link.", "sensitive."))]
    shares = {}
    for name, mangle in TRANSFORMATIONS.items():
        blocked = by_rule = 0
        for rule, text in texts:
            result = scanner.scan(mangle(text), AccountPolicy(), False)
            blocked += result.blocks
            by_rule += any(finding.rule == rule for finding in result.findings)
        shares[name] = (blocked / len(texts), by_rule / len(texts))
    return shares


def table(shares: dict[str, tuple[float, float]]) -> str:
    """The measured shares as a Markdown table."""
    lines = ["| transformation | still blocked | by its own rule | bar |", "|---|---|---|---|"]
    for name, (blocked, by_rule) in shares.items():
        lines.append(f"| {name} | {blocked:.1%} | {by_rule:.1%} | {BARS[name]:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(measure(ContentScanner.load())) + "\n")
