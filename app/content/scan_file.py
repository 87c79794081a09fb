"""A file of templates and what a scan finds in them: one row a rule, for whoever has a hundred to put in order.

A file is read as what its name says: ``.csv`` has a column ``body``, ``text``, ``template`` or ``message`` in its first
line; ``.json`` is a list of texts, or of objects with such a member; anything else has a text a line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from app.content.findings import ScanResult
from app.guardrail.refusals import Json

MAX_BYTES = 20_000_000
MAX_TEXT = 1600  # characters, as of an intent
_COLUMNS = ("body", "text", "template", "message")


@dataclass(slots=True)
class RuleCount:
    """In how many texts a rule was found, and where first."""

    rule: str
    severity: str
    remedy: str
    places: list[int] = field(default_factory=list)  # the texts' numbers, from 1
    excerpt: str = ""


@dataclass(slots=True)
class FileScan:
    """What was found in all texts of a file."""

    texts: int = 0
    blocked: list[int] = field(default_factory=list)
    segments: int = 0
    rules: list[RuleCount] = field(default_factory=list)

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "texts": self.texts,
            "blocked": list(self.blocked),
            "segments": self.segments,
            "rules": [
                {
                    "rule": each.rule,
                    "severity": each.severity,
                    "texts": list(each.places),
                    "excerpt": each.excerpt,
                    "remedy": each.remedy,
                }
                for each in self.rules
            ],
        }


def read_texts(path: Path) -> list[str]:
    """The texts of a file. Raises ValueError where it holds none that can be scanned, with the line's number."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 1_000_000} MB")
    return texts_in(path.name, path.read_bytes())


def texts_in(name: str, content: bytes) -> list[str]:
    """The texts of a file of that name. Raises ValueError as ``read_texts`` does."""
    try:
        written = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    written = written.replace("\r\n", "\n").replace("\r", "\n")
    kind = Path(name).suffix.lower()
    found = (
        _of_csv(written) if kind == ".csv" else _of_json(written) if kind == ".json" else written.splitlines()
    )
    texts = [text for text in found if text.strip()]
    if not texts:
        raise ValueError("holds no text")
    for number, text in enumerate(texts, 1):
        if len(text) > MAX_TEXT:
            raise ValueError(f"text {number} has more than {MAX_TEXT} characters")
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError(f"text {number} holds characters that no text can")
    return texts


def scan_texts(texts: Iterable[str], scan: Callable[[str], ScanResult]) -> FileScan:
    """Every text scanned; rules in the order of how many texts they block, then warn of."""
    found = FileScan()
    counts: dict[tuple[str, str], RuleCount] = {}
    for number, text in enumerate(texts, 1):
        result = scan(text)
        found.texts += 1
        found.segments += result.segments.count
        if result.blocks:
            found.blocked.append(number)
        for finding in result.findings:
            key = (finding.rule, finding.severity)
            count = counts.setdefault(key, RuleCount(finding.rule, finding.severity, finding.remedy))
            if not count.places or count.places[-1] != number:
                count.places.append(number)
            count.excerpt = count.excerpt or finding.excerpt
    found.rules = sorted(counts.values(), key=lambda each: (each.severity, -len(each.places), each.rule))
    return found


def table_of(found: FileScan) -> Table:
    """The table that a terminal shows."""
    table = Table("rule", "", "texts", "first", "found there", "what makes it pass", box=None, pad_edge=False)
    for each in found.rules:
        table.add_row(
            each.rule, each.severity, str(len(each.places)), str(each.places[0]), each.excerpt, each.remedy
        )
    return table


def _of_csv(content: str) -> Sequence[str]:
    reader = csv.DictReader(io.StringIO(content))
    try:
        column = next((name for name in reader.fieldnames or () if name.strip().lower() in _COLUMNS), None)
        if column is None:
            raise ValueError(f"has no column {', '.join(_COLUMNS[:-1])} or {_COLUMNS[-1]}")
        return [row[column] or "" for row in reader]
    except csv.Error as error:
        raise ValueError(f"is no CSV: {error}") from None


def _of_json(content: str) -> Sequence[str]:
    try:
        given = json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError("is nested too deep to be a list of texts") from None
    if not isinstance(given, list):
        raise ValueError("is no list of texts")
    texts = []
    for number, each in enumerate(given, 1):
        text = each if isinstance(each, str) else None
        if isinstance(each, dict):
            text = next((each[name] for name in _COLUMNS if isinstance(each.get(name), str)), None)
        if text is None:
            raise ValueError(f"entry {number} is no text and has none")
        texts.append(text)
    return texts
