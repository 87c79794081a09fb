"""Which consents lift a hit on a do-not-call list, for how long and where, and the lists that states keep.

The rows of ``lists.toml``. Of a kind the row of the most specific region stands: Connecticut's twelve months after a
purchase take the place of the federal eighteen for whoever may be in Connecticut. What no row names lifts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from app.law.conditions.law_rows import ABOUT, CHANNELS, CONSENT_KINDS, RECIPIENTS, LawFile, Row, in_force
from app.law.window_loader import DIRECTORY
from app.law.window_rules import Exemption

PATH = DIRECTORY / "lists.toml"
_REGISTRIES = ("national_dnc", "state_dnc", "litigator", "reassigned", "custom")
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True, eq=False)
class ListExemption:
    """A kind of consent that lifts a hit, for so long after it was given; ``none``: it lifts nothing there.

    ``kind`` None is every kind but those that have a row of their own.
    """

    registry: str
    region: str
    kind: str | None
    channels: frozenset[str]
    age: Exemption  # how old it may be
    citation: str
    confidence: str
    none: bool = False
    effective_from: date | None = None
    effective_until: date | None = None

    def young_enough(self, given_at: datetime, now: datetime) -> bool:
        """Whether a consent of that day still lifts."""
        ends = self.age.ends(given_at)
        return ends is None or now < ends


@dataclass(frozen=True, slots=True, eq=False)
class StateList:
    """A list that a state, or the country, keeps. ``about`` is the row as written, for readers."""

    region: str
    name: str
    keeper: str
    url: str
    renew: str
    max_age_days: int
    applies_to: frozenset[str]
    recipients: frozenset[str]
    citation: str
    confidence: str
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class ListRules:
    """The whole file, checked."""

    version: str
    exemptions: tuple[ListExemption, ...]
    lists: tuple[StateList, ...]
    by_list: Mapping[tuple[str, str], tuple[ListExemption, ...]]
    kept_in: Mapping[str, StateList]  # by region

    def exemption(
        self, registry: str, region: str, kind: str, channel: str, days: Iterable[date] = ()
    ) -> ListExemption | None:
        """What this kind of consent does against that list for a person in the region; None: nothing.

        The row of the region for the kind, then the region's row for every kind, then the same of its country.
        """
        today = tuple(days)
        for place in dict.fromkeys((region, region.partition("-")[0], EVERYWHERE)):
            rows = [
                row
                for row in self.by_list.get((registry, place), ())
                if channel in row.channels and in_force(row.effective_from, row.effective_until, today)
            ]
            for wanted in (kind, None):
                for row in rows:
                    if row.kind == wanted:
                        return None if row.none else row
        return None


def load(path: Path = PATH) -> ListRules:
    """Read and check the file; BrokenRuleFile with the line and the reason when it must not be used."""
    file = LawFile(path, "exemption", "state_list")
    exemptions: list[ListExemption] = []
    by_list: dict[tuple[str, str], tuple[ListExemption, ...]] = {}
    for row in file.rows(
        "exemption", ("registry", "region"), ("kind", "none", "within_months", "within_days", "channels")
    ):
        item = _exemption(row)
        key = (item.registry, item.region)
        for other in by_list.get(key, ()):
            if other.kind == item.kind and other.channels & item.channels and _overlap(other, item):
                row.fail("kind", f"stands a second time for {item.registry} in {item.region}")
        exemptions.append(item)
        by_list[key] = (*by_list.get(key, ()), item)
    lists = tuple(
        _list(row)
        for row in file.rows(
            "state_list",
            ("region", "name", "keeper", "url", "renew", "max_age_days", "applies_to", "recipients"),
            ("also_national",),
        )
    )
    return ListRules(file.version, tuple(exemptions), lists, by_list, {kept.region: kept for kept in lists})


def _exemption(row: Row) -> ListExemption:
    none = row.flag("none")
    kind = row.one_of("kind", CONSENT_KINDS) if "kind" in row.entry else None
    if kind is None and not none:
        row.fail("kind", "is missing")
    months, days = row.count("within_months"), row.count("within_days")
    if (months is not None and days is not None) or (none and (months is not None or days is not None)):
        row.fail("within_months", "stands alone, and not beside none")
    return ListExemption(
        registry=row.one_of("registry", _REGISTRIES),
        region=row.text("region"),
        kind=kind,
        channels=row.some_of("channels", CHANNELS) if "channels" in row.entry else frozenset(CHANNELS),
        citation=row.text("citation"),
        confidence=row.text("confidence"),
        none=none,
        age=Exemption(kind or "", months, days),
        effective_from=row.day("effective_from"),
        effective_until=row.day("effective_until"),
    )


def _overlap(one: ListExemption, other: ListExemption) -> bool:
    return (
        one.effective_until is None
        or other.effective_from is None
        or other.effective_from < one.effective_until
    ) and (
        other.effective_until is None
        or one.effective_from is None
        or one.effective_from < other.effective_until
    )


def _list(row: Row) -> StateList:
    age = row.count("max_age_days")
    if age is None:
        row.fail("max_age_days", "is missing")
    return StateList(
        region=row.text("region"),
        name=row.text("name"),
        keeper=row.text("keeper"),
        url=row.text("url"),
        renew=row.text("renew"),
        max_age_days=age,
        applies_to=row.some_of("applies_to", CHANNELS),
        recipients=row.some_of("recipients", RECIPIENTS),
        citation=row.text("citation"),
        confidence=row.text("confidence"),
        about={name: row.entry[name] for name in sorted(ABOUT) if name in row.entry},
    )
