"""The text behind a rule's id: what a decision cites is read from the rules, in the words of the law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.intents.services import RuleSet
from app.law.conditions.consent_rules import ConsentRules
from app.law.window_rules import WindowRules


@dataclass(frozen=True, slots=True)
class LawText:
    """A rule as it is read today. ``quote`` is empty where none was taken down."""

    id: str
    place: str
    citation: str
    quote: str
    quote_url: str
    confidence: str
    note: str


def law_text(rule_set: RuleSet, rule_id: str) -> LawText | None:
    """The rule of that id; None for the account's own, and for one that is no longer among the rules."""
    return _texts(rule_set.window_rules, rule_set.consent_law.rules).get(rule_id)


@lru_cache(maxsize=2)
def _texts(windows: WindowRules, consents: ConsentRules) -> Mapping[str, LawText]:
    found: dict[str, LawText] = {}
    for rule in (
        *windows.rules,
        windows.fallback,
        *(rule for some in windows.fallbacks.values() for rule in some),
    ):
        found[rule.id] = LawText(
            rule.id,
            rule.name,
            rule.citation,
            rule.read.quote,
            rule.read.quote_url,
            rule.confidence,
            rule.note,
        )
    for cap in windows.caps:
        found[cap.id] = LawText(
            cap.id, cap.place, cap.citation, cap.read.quote, cap.read.quote_url, cap.confidence, cap.note
        )
    for asked in consents.rules:
        about: Mapping[str, Any] = asked.about or {}
        found[asked.id] = LawText(
            asked.id,
            asked.place,
            asked.citation,
            str(about.get("quote", "")),
            str(about.get("quote_url", "")),
            asked.confidence,
            str(about.get("note", "")),
        )
    return found
