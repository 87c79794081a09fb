"""Loads a pack, a directory of rule files, and refuses it whole when any of it is broken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from app.law.calendar_reader import CalendarReader
from app.law.cap_reader import CapReader
from app.law.fallbacks import fallback_rule, fallbacks_of
from app.law.field_reader import FieldReader
from app.law.rule_reader import RuleReader, windows_of
from app.law.window_rules import Hours, WindowRule, WindowRules
from app.numbering.zones import TZDATA_VERSION

DIRECTORY = Path(__file__).with_name("rules")
_PACK = "pack.toml"
_TOP = {"version", "compiled", "minimum_tzdata", "fallback_windows", "fallback_citation"}


def load(directory: Path = DIRECTORY) -> WindowRules:
    """Read and check the pack; BrokenRuleFile with file, line and reason when it must not be used."""
    pack = FieldReader(directory / _PACK)
    version, compiled = _read_pack(pack)
    calendars = CalendarReader(directory / "calendars.toml").read()
    caps = CapReader(directory / "caps.toml").read()
    shared: dict[tuple[object, ...], Hours] = {}
    rules: list[WindowRule] = []
    missing: dict[str, str] = {}
    for path in sorted((directory / "windows").glob("*.toml")):
        reader = RuleReader(path, calendars, shared)
        found, without = reader.read()
        for index, rule in enumerate(found):
            reader.at = ("rule", index)
            if any(other.id == rule.id for other in rules):
                reader.fail("id", f"a second rule {rule.id!r}")
            rules.append(rule)
        missing |= without
        for index, rule in enumerate(found):
            reader.at = ("rule", index)
            _check_against(reader, rule, rules)
    if not rules:
        pack.fail(None, "has no rule: windows/*.toml is empty or not there")
    by_jurisdiction: dict[str, tuple[WindowRule, ...]] = {}
    for rule in rules:
        for jurisdiction in rule.places:
            by_jurisdiction[jurisdiction] = (*by_jurisdiction.get(jurisdiction, ()), rule)
    windows, citation = windows_of(pack, pack.table, "fallback_windows"), pack.table["fallback_citation"]
    return WindowRules(
        version=version,
        rules=tuple(rules),
        by_jurisdiction=by_jurisdiction,
        calendars=calendars,
        fallback=fallback_rule("ZZ", windows, citation),
        fallbacks=fallbacks_of(by_jurisdiction, windows, citation, missing),
        caps=caps,
        applied_caps=tuple(cap for cap in caps if cap.applied),
        no_rule=missing,
        compiled=compiled,
        digest=digest_of(directory),
        name=directory.name,
        directory=directory,
        local_regions=_local_regions(rules),
    )


def digest_of(directory: Path) -> str:
    """SHA-256 over the names and the bytes of the pack's files, in hex: two packs alike are one."""
    whole = hashlib.sha256()
    for path in sorted(directory.rglob("*.toml"), key=lambda found: found.relative_to(directory).as_posix()):
        name, content = path.relative_to(directory).as_posix().encode(), path.read_bytes()
        whole.update(b"%d:%s%d:" % (len(name), name, len(content)))
        whole.update(content)
    return whole.hexdigest()


def _read_pack(pack: FieldReader) -> tuple[str, date]:
    pack.top(_TOP, set())
    for key in ("version", "minimum_tzdata", "fallback_citation"):
        if not isinstance(pack.table.get(key), str) or not pack.table[key]:
            pack.fail(key, f"{key} is missing")
    needed = pack.table["minimum_tzdata"]
    if needed > TZDATA_VERSION:
        pack.fail("minimum_tzdata", f"needs tzdata {needed}, found {TZDATA_VERSION}")
    citation = pack.table["fallback_citation"]
    if "{country}" not in citation or set("{}") & set(citation.replace("{country}", "")):
        pack.fail("fallback_citation", "fallback_citation must name the {country}, and has no other braces")
    compiled = pack.day(pack.table, "compiled")
    if compiled is None:
        pack.fail("compiled", "compiled is missing")
    return pack.table["version"], compiled


def _check_against(reader: RuleReader, rule: WindowRule, rules: list[WindowRule]) -> None:
    """What a rule says of others: the country's that it adds nothing to, the one that it takes the place of."""
    if rule.adds_nothing:
        parent = next((other for other in rules if other.id == rule.jurisdiction.split("-")[0]), None)
        if parent is None:
            reader.fail("adds_nothing", "has no rule of its country above it to add nothing to")
        if not parent.hours.same_week(rule.hours):
            reader.fail("adds_nothing", f"its hours are not those of {parent.id}")
    if rule.supersedes is not None:
        before = next((other for other in rules if other.id == rule.supersedes), None)
        if before is None or before.jurisdiction != rule.jurisdiction:
            reader.fail("supersedes", f"there is no rule {rule.supersedes!r} of {rule.jurisdiction}")
        if before.effective_until is None or before.effective_until != rule.effective_from:
            reader.fail("supersedes", f"begins on another day than {before.id} ends")


def _local_regions(rules: list[WindowRule]) -> frozenset[str]:
    return frozenset(
        place
        for rule in rules
        if rule.hours.calendar is not None and rule.hours.calendar.area_codes
        for place in rule.places
    )


def stale(rules: WindowRules, today: date, days: int = 90) -> Mapping[str, date]:
    """The rules, calendars and caps that nobody looked at for more than so many days, with when somebody did."""
    looked_at = {rule.id: rule.read.checked for rule in rules.rules}
    looked_at |= {f"cap {cap.id}": cap.read.checked for cap in rules.caps}
    looked_at |= {f"calendar {key}": calendar.checked for key, calendar in rules.calendars.items()}
    return {
        name: checked
        for name, checked in looked_at.items()
        if checked is not None and (today - checked).days > days
    }
