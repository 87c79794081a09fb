"""Reads ``caps.toml``: caps on attempts that are no rule's about hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.law.field_reader import DATES, PROVENANCE, FieldReader
from app.law.window_rules import PlaceCap

_REQUIRED = (
    "id", "place", "channels", "voices", "purposes", "max", "period", "unit", "per", "citation", "confidence",
)  # fmt: skip
_OPTIONAL = frozenset(("line_types", "exemptions", "result", "applied")) | DATES | PROVENANCE
_VOICES = frozenset(("live", "prerecorded", "artificial"))
_PURPOSES = frozenset(("marketing", "informational"))
_LINES = frozenset(("mobile", "landline", "voip"))


class CapReader(FieldReader):
    """The caps of a pack."""

    def read(self) -> tuple[PlaceCap, ...]:
        """Every cap, in order."""
        self.top(set(), {"cap"})
        found: list[PlaceCap] = []
        for index, entry in enumerate(self.table.get("cap", ())):
            self.at = ("cap", index)
            cap = self.guard(self._cap, entry)
            if any(other.id == cap.id for other in found):
                self.fail("id", f"a second cap {cap.id!r}")
            found.append(cap)
        return tuple(found)

    def _cap(self, entry: Mapping[str, Any]) -> PlaceCap:
        self.fields(entry, _REQUIRED, _OPTIONAL)
        self.choice(entry, "per", ("number", "subject", "campaign"))
        self.flags(entry, "applied")
        applied = entry.get("applied", True)
        if applied and (entry["per"] == "campaign" or entry["unit"] == "after_result"):
            self.fail("per", "a cap per campaign, or after a result, cannot be applied: say applied = false")
        begins, ends = self.dates(entry)
        said = {
            "max": entry["max"],
            "period": entry["period"],
            # A cap after a result is for the reader, as those after a refusal are.
            "unit": "after_refusal" if entry["unit"] == "after_result" else entry["unit"],
            "same_subject": entry["per"] == "subject",
            "counts": entry["channels"],
        }
        if "result" in entry:
            said["result"] = entry["result"]
        return PlaceCap(
            id=entry["id"],
            place=self.jurisdictions([entry["place"]], "place")[0],
            cap=self.cap(said),
            voices=self._any(entry["voices"], "voices", _VOICES),
            purposes=self._any(entry["purposes"], "purposes", _PURPOSES),
            line_types=self._any(entry.get("line_types", ["any"]), "line_types", _LINES),
            exemptions=self.exemptions(entry.get("exemptions", []), "exemptions"),
            citation=entry["citation"],
            confidence=entry["confidence"],
            applied=applied,
            begins=begins,
            ends=ends,
            note=entry.get("note", ""),
            read=self.provenance(entry),
        )

    def _any(self, value: Any, key: str, choices: frozenset[str]) -> frozenset[str]:
        return choices if value == ["any"] else self.some_of(value, key, choices)
