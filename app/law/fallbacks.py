"""What holds in a country while no rule of it is on file: short weekdays, none of its weekends and holidays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache

import holidays

from app.law.holiday_calendars import HolidayCalendar
from app.law.window_rules import CALLED_PARTY, Hours, Minutes, WindowRule
from app.numbering.zones import country_names

_SATURDAY, _SUNDAY = 5, 6


def fallbacks_of(
    by_jurisdiction: Mapping[str, tuple[WindowRule, ...]],
    windows: tuple[Minutes, ...],
    citation: str,
    reasons: Mapping[str, str],
) -> dict[str, tuple[WindowRule, ...]]:
    """Every country's: all the time where it has no rule, else before its first rule and in the gaps."""
    return {
        country: tuple(
            fallback_rule(country, windows, citation, begins, ends, reasons.get(country, ""))
            for begins, ends in _uncovered(by_jurisdiction.get(country, ()))
        )
        for country in country_names()
    }


def fallback_rule(
    country: str,
    windows: tuple[Minutes, ...],
    citation: str,
    begins: date | None = None,
    ends: date | None = None,
    note: str = "",
) -> WindowRule:
    """The cautious hours in one country, for a time."""
    name = country_names().get(country, country)
    calendar = _calendar(country)
    return WindowRule(
        id=f"fallback:{country}" if begins is None else f"fallback:{country}:{begins}",
        name=f"{name}: no rule on file",
        jurisdiction=country,
        scope="all",
        text="conservative",
        hours=Hours(
            windows,
            (),
            (),
            "none" if calendar is None else "ban",
            "none",
            calendar,
            _weekend(country),
            begins,
            ends,
        ),
        clocks=(CALLED_PARTY,),
        solicitation_only=False,
        citation=citation.format(country=name),
        confidence="low",
        house=True,
        note=note,
    )


def _uncovered(rules: Iterable[WindowRule]) -> list[tuple[date | None, date | None]]:
    """The times in which none of the rules about all calls holds: [first date, first date no longer)."""
    covered = sorted(
        (rule.effective_from or date.min, rule.effective_until or date.max)
        for rule in rules
        if rule.scope == "all" and not rule.adds_nothing
    )
    gaps: list[tuple[date | None, date | None]] = []
    edge = date.min
    for begins, ends in covered:
        if begins > edge:
            gaps.append((None if edge == date.min else edge, begins))
        edge = max(edge, ends)
    if edge < date.max:
        gaps.append((None if edge == date.min else edge, None))
    return gaps


@lru_cache(maxsize=512)
def _calendar(country: str) -> HolidayCalendar | None:
    if country not in _supported():
        return None
    return HolidayCalendar(country, country)


@lru_cache(maxsize=1)
def _supported() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))


def _weekend(country: str) -> frozenset[int]:
    """The weekdays on which the country rests, Saturday and Sunday always among them."""
    if country not in _supported():
        return frozenset((_SATURDAY, _SUNDAY))
    return frozenset(holidays.country_holidays(country).weekend) | {_SATURDAY, _SUNDAY}
