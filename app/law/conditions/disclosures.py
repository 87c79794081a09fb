"""What a call with a recorded or artificial voice must say, by place: the rows of ``disclosures.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app.law.conditions.law_rows import CHANNELS, PURPOSES, VOICES, LawFile, in_force
from app.law.window_loader import DIRECTORY

PATH = DIRECTORY / "disclosures.toml"
_REQUIRED = ("id", "place", "channels", "voices", "purposes", "what", "say", "when")
_OPTIONAL = ("also_in", "only_if", "required")
_CODES = (
    "identity", "ai", "recorded_message", "opt_out_mechanism", "callback_number", "recording_notice", "purpose",
    "seller_address",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Disclosure:
    """One thing to be said. ``only_if`` is ``recorded`` where it is owed only when the call is recorded."""

    id: str
    places: frozenset[str]
    channels: frozenset[str]
    voices: frozenset[str]
    purposes: frozenset[str]
    what: tuple[str, ...]
    say: str
    when: str
    citation: str
    confidence: str
    required: bool = True
    only_if: str | None = None
    effective_from: date | None = None
    effective_until: date | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Disclosures:
    """The whole file, checked."""

    version: str
    by_place: Mapping[str, tuple[Disclosure, ...]]

    def owed(
        self, places: Iterable[str], channel: str, voice: str, purpose: str, days: Iterable[date]
    ) -> tuple[Disclosure, ...]:
        """What the law of the places wants said on these local days, each once, in the order of the places."""
        today = tuple(days)
        found = (
            item
            for place in places
            for item in self.by_place.get(place, ())
            if item.required
            and channel in item.channels
            and voice in item.voices
            and purpose in item.purposes
            and in_force(item.effective_from, item.effective_until, today)
        )
        return tuple(dict.fromkeys(found))


def load(path: Path = PATH) -> Disclosures:
    """Read and check the file; BrokenRuleFile with the line and the reason when it must not be used."""
    file = LawFile(path, "disclosure")
    by_place: dict[str, tuple[Disclosure, ...]] = {}
    ids: set[str] = set()
    for row in file.rows("disclosure", _REQUIRED, _OPTIONAL):
        what = row.entry["what"]
        if not isinstance(what, list) or not what or not all(code in _CODES for code in what):
            row.fail("what", f"must name some of {', '.join(_CODES)}")
        item = Disclosure(
            id=row.text("id"),
            places=row.places(),
            channels=row.some_of("channels", CHANNELS),
            voices=row.some_of("voices", VOICES),
            purposes=row.some_of("purposes", PURPOSES),
            what=tuple(what),
            say=row.text("say"),
            when=row.one_of("when", ("start", "during", "end", "on_request")),
            citation=row.text("citation"),
            confidence=row.text("confidence"),
            required=row.flag("required") if "required" in row.entry else True,
            only_if=row.one_of("only_if", ("recorded",)) if "only_if" in row.entry else None,
            effective_from=row.day("effective_from"),
            effective_until=row.day("effective_until"),
        )
        if item.id in ids:
            row.fail("id", f"is a second {item.id!r}")
        ids.add(item.id)
        for place in sorted(item.places):
            by_place[place] = (*by_place.get(place, ()), item)
    return Disclosures(file.version, by_place)
