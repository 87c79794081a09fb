"""Findings as a terminal shows them: the line, the span underlined, why, and what would make it pass."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from app.content.findings import ContentFinding
from app.content.signs.sensitive import mask


def render(body: str, findings: Iterable[ContentFinding]) -> str:
    """Plain text, no colour codes. The body is masked; invisible characters show as a dot.

    A span that runs over a line end is underlined on every line that it touches.
    """
    shown = mask(body)
    blocks = []
    for finding in findings:
        lines = [f"{finding.severity}: {finding.rule} at {finding.start}-{finding.end}"]
        start = 0
        for line in shown.split("\n"):
            first, last = max(finding.start, start), min(finding.end, start + len(line))
            if first < last:
                text = [_visible(c) for c in line]
                indent = sum(map(_columns, text[: first - start]))
                width = sum(map(_columns, text[first - start : last - start]))
                lines += ["  " + "".join(text), "  " + " " * indent + "^" * max(1, width)]
            start += len(line) + 1
        lines += [f"  why: {finding.why}", f"  to pass: {finding.remedy}"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _visible(character: str) -> str:
    """Controls and invisible characters as a middle dot; they would otherwise move or hide the underline."""
    category = unicodedata.category(character)
    return "·" if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else character


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
