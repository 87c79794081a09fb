"""A scan for the terminal: the text underlined, and for each finding the reason and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from app.content import ContentFinding, ScanResult

_WEIGHTS = {"block": "red", "warn": "yellow"}


def scan_text(body: str, result: ScanResult) -> RenderableType:
    """The text with what was found underlined, then each finding with its reason and what would make it pass."""
    from app.content import mask

    shown = Text(mask(body))
    for finding in sorted(result.findings, key=lambda finding: finding.severity == "block"):
        shown.stylize(f"underline {_WEIGHTS[finding.severity]}", finding.start, finding.end)
    segments = result.segments
    plural = "" if segments.count == 1 else "s"
    bill = f"{segments.encoding}, {segments.units} units, {segments.count} segment{plural}"
    parts: list[RenderableType] = [shown, *_underline(mask(body), result.findings)]
    if segments.forced_by:
        bill += "; UCS-2 because of " + " ".join(repr(character) for character in segments.forced_by)
    for finding in result.findings:
        parts.append(
            Text.assemble(
                (f"{finding.severity:5}", _WEIGHTS[finding.severity]),
                " ",
                (finding.rule, "bold"),
                f" “{finding.excerpt}”",
            )
        )
        parts.append(Padding(Text(finding.why), (0, 0, 0, 6), expand=False))
        parts.append(Padding(Text(finding.remedy, "bright_black"), (0, 0, 0, 6), expand=False))
    parts.append(Text(bill, "bright_black"))
    if segments.suggestion is not None:
        parts.append(Text.assemble(("in GSM-7: ", "bright_black"), mask(segments.suggestion)))
        if segments.dropped:
            parts.append(Text("without " + " ".join(segments.dropped), "bright_black"))
    return Group(*parts)


def _underline(body: str, findings: Sequence[ContentFinding]) -> Iterable[Text]:
    """A line of marks below a text of one line, for those who see no colours."""
    if not findings or "\n" in body or not body.isprintable() or len(body) > 100:
        return []
    marks = [" "] * len(body)
    for finding in sorted(findings, key=lambda finding: finding.severity == "block"):
        mark = "^" if finding.severity == "block" else "~"
        marks[finding.start : finding.end] = mark * (finding.end - finding.start)
    # Some characters are two columns wide, and some none.
    line = "".join(mark * cell_len(character) for mark, character in zip(marks, body, strict=True))
    return [Text(line.rstrip(), "bright_black")]
