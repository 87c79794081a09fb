"""What a scan finds: spans of the original text, with the rule, the reason and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from app.content.packs.pack_loader import Severity


@dataclass(frozen=True, slots=True)
class ContentFinding:
    """One finding. ``start`` and ``end`` count code points of the original body, half open."""

    rule: str
    severity: Severity
    start: int
    end: int
    excerpt: str  # of the masked body
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Segments:
    """How a carrier bills the text."""

    encoding: str  # "GSM-7" or "UCS-2"
    units: int  # septets, or UTF-16 code units
    count: int  # segments
    forced_by: tuple[str, ...]  # the characters that forced UCS-2, in order, each once
    suggestion: str | None  # the text in GSM-7, where the characters have an equivalent
    dropped: tuple[str, ...] = ()  # the characters that the suggestion leaves out, each once


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything that a scan says of one text."""

    findings: tuple[ContentFinding, ...]
    segments: Segments

    @property
    def blocks(self) -> bool:
        """Whether any finding blocks."""
        return any(finding.severity == "block" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Span:
    """A rule found in the original text, before policy decides what it weighs."""

    rule: str
    start: int
    end: int
    severity: Severity | None = None  # None: the rule's own
    read: str = ""  # what a disguised or misspelt span was read as, where that is not plain
