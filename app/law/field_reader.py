"""Reads the fields that every kind of rule file has, and says file, line and reason of what is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from app.guardrail.facts import IntentType
from app.law.window_rules import Exemption, LegalCap, Provenance
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.toml_positions import Positions, read_toml

Read = TypeVar("Read")

# What every rule, calendar and cap may carry of where it was read and when it holds.
DATES = frozenset(("effective_from", "effective_until"))
PROVENANCE = frozenset(
    ("checked", "watch", "sources", "quote", "quote_in", "quote_url", "quote_read", "confidence", "note")
)
LONGEST_QUOTE = 300
_CONFIDENCES = ("high", "medium", "low")
_QUOTED_IN = ("text", "mirror", "bill", "repository", "survey")
_FIRST_HAND = ("text", "mirror", "bill")
_KINDS = ("express", "express_written", "purchase", "inquiry")
_PERIOD = re.compile(r"^P(?:([1-9]\d{0,3})D|T([1-9]\d{0,3})H)$")
_JURISDICTION = re.compile(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")
_RESULTS = frozenset(("answered", "no_answer", "busy", "abandoned", "failed"))


class FieldReader:
    """One file, and the entry of it that is being read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table: Mapping[str, Any]
        self.positions: Positions
        self.table, self.positions = read_toml(path)
        self.at: tuple[str, int] = ("", 0)

    def fail(self, key: str | None, reason: str) -> NoReturn:
        """Refuse the file, at the line of the key or else of its entry."""
        raise BrokenRuleFile(self.path, self.positions.line(*self.at, key), reason)

    def guard(self, read: Callable[[Mapping[str, Any]], Read], entry: Mapping[str, Any]) -> Read:
        """Whatever else is wrong with an entry, a value of the wrong type above all, is its fault too."""
        try:
            return read(entry)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            self.fail(None, f"has a value of the wrong type: {error}")

    def top(self, known: set[str], tables: set[str]) -> None:
        """The file's own fields and the kinds of its tables."""
        for key, value in self.table.items():
            if key in tables and isinstance(value, list) and all(isinstance(item, dict) for item in value):
                continue
            if key not in known:
                self.at = ("", 0) if self.positions.line("", 0, key) else (key, 0)
                self.fail(key if self.at[0] == "" else None, f"unknown field {key!r}")

    def fields(self, entry: Mapping[str, Any], required: tuple[str, ...], optional: frozenset[str]) -> None:
        """Every field is known, and none is missing."""
        for key in entry:
            if key not in required and key not in optional:
                self.fail(key, f"unknown field {key!r}")
        for key in required:
            if key not in entry:
                self.fail(None, f"{key} is missing")
            if key in ("id", "name", "citation") and not (isinstance(entry[key], str) and entry[key].strip()):
                self.fail(key, f"{key} is empty")

    def choice(self, entry: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> None:
        """The field, where it is given, is one of these."""
        if key in entry and entry[key] not in choices:
            self.fail(key, f"{key} must be one of {', '.join(choices)}, not {entry[key]!r}")

    def flags(self, entry: Mapping[str, Any], *keys: str) -> None:
        """These fields, where they are given, are true or false."""
        for key in keys:
            if not isinstance(entry.get(key, False), bool):
                self.fail(key, f"{key} must be true or false")

    def strings(self, value: Any, key: str, at_least: int = 0) -> tuple[str, ...]:
        """A list of strings, none of them empty."""
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.fail(key, f"{key} must be a list of strings")
        if len(value) < at_least:
            self.fail(key, f"{key} is empty")
        return tuple(value)

    def some_of(self, value: Any, key: str, choices: frozenset[str]) -> frozenset[str]:
        """A list of these words, at least one."""
        found = frozenset(self.strings(value, key, at_least=1))
        if not found <= choices:
            self.fail(
                key, f"{key} names {', '.join(sorted(choices))}, not {', '.join(sorted(found - choices))}"
            )
        return found

    def jurisdictions(self, value: Any, key: str) -> tuple[str, ...]:
        """Countries, and regions as US-CA."""
        names = self.strings(value, key)
        for name in names:
            if not _JURISDICTION.match(name):
                self.fail(key, f"{name!r} is neither a country nor a region as US-CA")
        return names

    def day(self, entry: Mapping[str, Any], key: str) -> date | None:
        """A local date."""
        value = entry.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            self.fail(key, f"{key} must be a date")
        return value

    def dates(self, entry: Mapping[str, Any], key: str | None = None) -> tuple[date | None, date | None]:
        """The first local date on which it binds, and the first on which it no longer does."""
        begins, ends = self.day(entry, "effective_from"), self.day(entry, "effective_until")
        if begins is not None and ends is not None and begins >= ends:
            self.fail(key or "effective_until", "effective_until must be after effective_from")
        return begins, ends

    def provenance(self, entry: Mapping[str, Any]) -> Provenance:
        """Where it was read. High confidence needs a clause that somebody read in the text."""
        self.choice(entry, "confidence", _CONFIDENCES)
        self.choice(entry, "quote_in", _QUOTED_IN)
        sources = entry.get("sources", {})
        if not isinstance(sources, dict) or set(sources) - {"text", "commentary", "unread"}:
            self.fail("sources", "sources has text, commentary and unread")
        listed = {
            name: self.strings(value, "sources" if self._line_of("sources") else f"sources.{name}")
            for name, value in sources.items()
        }
        for key in ("watch", "note", "quote", "quote_in", "quote_url"):
            if not isinstance(entry.get(key, ""), str):
                self.fail(key, f"{key} must be a string")
        if "checked" not in entry:
            self.fail(None, "checked is missing")
        checked, quote_read = self.day(entry, "checked"), self.day(entry, "quote_read")
        quote = entry.get("quote", "")
        if len(quote) > LONGEST_QUOTE:
            self.fail("quote", f"quote has {len(quote)} characters, {LONGEST_QUOTE} are the most")
        if quote and (quote_read is None or "quote_in" not in entry):
            self.fail("quote", "a quote needs quote_in and quote_read")
        confidence = entry.get("confidence")
        if confidence == "high" and not (quote and entry["quote_in"] in _FIRST_HAND):
            self.fail("confidence", "high needs a clause quoted from the text, a mirror of it or a bill")
        if confidence == "medium" and not (quote or any(listed.values())):
            self.fail("confidence", "medium needs a quote or a source")
        return Provenance(
            text=listed.get("text", ()),
            commentary=listed.get("commentary", ()),
            unread=listed.get("unread", ()),
            quote=quote,
            quote_in=entry.get("quote_in", ""),
            quote_url=entry.get("quote_url", ""),
            quote_read=quote_read,
            checked=checked,
            watch=entry.get("watch", ""),
        )

    def _line_of(self, key: str) -> bool:
        return self.positions.line(*self.at, key) != self.positions.line(*self.at)

    def exemptions(self, value: Any, key: str) -> tuple[Exemption, ...]:
        """Consents that lift a rule, each with the age at which it no longer does."""
        found = []
        for item in value:
            if (
                not isinstance(item, dict)
                or set(item) - {"kind", "within_months", "within_days"}
                or item.get("kind") not in _KINDS
            ):
                self.fail(key, f"an exemption names one of {', '.join(_KINDS)}, not {item!r}")
            ages = [name for name in ("within_months", "within_days") if name in item]
            if len(ages) > 1:
                self.fail(key, "an exemption has within_months or within_days, not both")
            for name in ages:
                if type(item[name]) is not int or not 1 <= item[name] <= 36_500:
                    self.fail(key, f"{name} must be a positive number")
            found.append(Exemption(item["kind"], item.get("within_months"), item.get("within_days")))
        return tuple(found)

    def cap(self, cap: Mapping[str, Any]) -> LegalCap:
        """A cap on attempts."""
        needed = {"max", "period", "unit", "same_subject", "counts"}
        if not needed <= set(cap) <= needed | {"result"}:
            self.fail(
                "caps", "a cap takes exactly max, period, unit, same_subject and counts, and maybe result"
            )
        period = _PERIOD.match(cap["period"])
        if period is None:
            self.fail("caps", f"{cap['period']!r} is not a period as PT24H or P30D")
        if cap["unit"] not in ("rolling", "calendar_days", "after_refusal"):
            self.fail("caps", f"unknown unit {cap['unit']!r}")
        least = 0 if cap["unit"] == "after_refusal" else 1
        if type(cap["max"]) is not int or not least <= cap["max"] <= 1_000_000:
            self.fail("caps", "max must be a positive number")
        if not isinstance(cap["same_subject"], bool):
            self.fail("caps", "same_subject must be true or false")
        named = self.some_of(cap["counts"], "caps", frozenset(("call", "sms")))
        kinds: tuple[IntentType, ...] = ("call", "sms")
        counts = frozenset(kind for kind in kinds if kind in named)
        results = self.some_of(cap["result"], "caps", _RESULTS) if "result" in cap else frozenset()
        days, hours = period.groups()
        if cap["unit"] == "calendar_days" and days is None:
            self.fail("caps", "calendar days are counted in days")
        seconds = int(days) * 86_400 if days else int(hours) * 3600
        return LegalCap(cap["max"], cap["period"], seconds, cap["unit"], cap["same_subject"], counts, results)
