"""The consents that the law requires before a contact: the rows of ``consents.toml`` in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from app.law.conditions.law_rows import (
    CHANNELS,
    CONSENT_KINDS,
    LINE_TYPES,
    LONGEST_AGE,
    PURPOSES,
    RECIPIENTS,
    VOICES,
    LawFile,
    Row,
)
from app.law.window_loader import DIRECTORY
from app.law.window_rules import Exemption

PATH = DIRECTORY / "consents.toml"
_REQUIRED = ("id", "place", "channels", "voices", "purposes", "line_types", "recipients", "requires")
_OPTIONAL = ("also_in", "policy", "when", "same_as", "ban_by_letter")


@dataclass(frozen=True, slots=True, eq=False)
class ConsentRule:
    """One rule, as cited. ``requires`` empty: no consent meets it, it is a ban.

    ``left_open``: the law does not ask for it, and the account's policy decides.
    """

    id: str
    place: str  # as written: a country, a region as US-CA, or EU
    places: frozenset[str]
    channels: frozenset[str]
    voices: frozenset[str]
    purposes: frozenset[str]
    line_types: frozenset[str]
    recipients: frozenset[str]
    requires: tuple[Exemption, ...]
    citation: str
    confidence: str
    left_open: bool = False
    effective_from: date | None = None
    effective_until: date | None = None
    about: Mapping[str, Any] | None = None  # sources, quote, checked, watch and note, as in the file

    def binds(
        self, channel: str, voice: str, purpose: str, line_types: frozenset[str], recipient: str
    ) -> bool:
        """Whether the rule is about such a contact, to a line that may be of any of these types."""
        return (
            channel in self.channels
            and (channel == "sms" or voice in self.voices)
            and purpose in self.purposes
            and not line_types.isdisjoint(self.line_types)
            and recipient in self.recipients
        )


@dataclass(frozen=True, slots=True, eq=False)
class ConsentRules:
    """The whole file, checked. Compared by identity: it is loaded once."""

    version: str
    rules: tuple[ConsentRule, ...]
    by_place: Mapping[str, tuple[ConsentRule, ...]]

    def of(self, place: str) -> tuple[ConsentRule, ...]:
        """The rules of a country or a region, in the order of the file; empty when there is none."""
        return self.by_place.get(place, ())


def load(path: Path = PATH) -> ConsentRules:
    """Read and check the file; BrokenRuleFile with the line and the reason when it must not be used."""
    file = LawFile(path, "consent")
    rules: list[ConsentRule] = []
    by_place: dict[str, tuple[ConsentRule, ...]] = {}
    for row in file.rows("consent", _REQUIRED, _OPTIONAL):
        rule = _rule(row)
        if any(other.id == rule.id for other in rules):
            row.fail("id", f"is a second {rule.id!r}")
        rules.append(rule)
        for place in sorted(rule.places):
            by_place[place] = (*by_place.get(place, ()), rule)
    return ConsentRules(file.version, tuple(rules), by_place)


def _rule(row: Row) -> ConsentRule:
    return ConsentRule(
        id=row.text("id"),
        place=row.text("place"),
        places=row.places(),
        channels=row.some_of("channels", CHANNELS),
        voices=row.some_of("voices", VOICES, any_means_all=True),
        purposes=row.some_of("purposes", PURPOSES, any_means_all=True),
        line_types=row.some_of("line_types", LINE_TYPES, any_means_all=True),
        recipients=row.some_of("recipients", RECIPIENTS),
        requires=_kinds(row),
        citation=row.text("citation"),
        confidence=row.text("confidence"),
        left_open=row.flag("policy"),
        effective_from=row.day("effective_from"),
        effective_until=row.day("effective_until"),
        about={
            name: row.entry[name]
            for name in ("sources", "quote", "quote_url", "quote_names", "quote_in", "quote_read", "checked",
                         "watch", "note", "when")
            if name in row.entry
        },
    )  # fmt: skip


def _kinds(row: Row) -> tuple[Exemption, ...]:
    written = row.entry["requires"]
    if not isinstance(written, list):
        row.fail("requires", "must be a list of kinds")
    found: list[Exemption] = []
    for item in written:
        if not isinstance(item, dict) or set(item) - {"kind", "within_months"}:
            row.fail("requires", "takes tables of kind and within_months")
        kind, months = item.get("kind"), item.get("within_months")
        if kind not in CONSENT_KINDS or any(other.kind == kind for other in found):
            row.fail("requires", f"names each of {', '.join(CONSENT_KINDS)} once, not {kind!r}")
        if months is not None and (type(months) is not int or not 1 <= months <= LONGEST_AGE):
            row.fail("requires", "within_months must be a positive number")
        found.append(Exemption(kind, months))
    kinds = {item.kind for item in found}
    if "express" in kinds and "express_written" not in kinds:
        row.fail("requires", "names express and not express_written, which is more")
    return tuple(found)
