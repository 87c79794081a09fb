"""The filters of the decisions as a person gives them, and as they stand in an address that can be passed on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from app.console.display import as_written
from app.console.reasons import REASONS
from app.console.typed import read_number
from app.instants import read_typed_instant, rfc3339
from app.numbering.number_filter import LONGEST_PERIOD, number_filter
from app.numbering.zones import zone

TYPES = {"call": "calls", "sms": "texts"}
VERDICTS = {"approved": "approved", "blocked": "refused"}
PURPOSES = {"marketing": "marketing", "informational": "informational", "emergency": "emergencies"}
NAMES = ("to", "from", "type", "verdict", "code", "campaign", "purpose", "pool", "key_id", "since", "until")
_PART = re.compile(r"\+[1-9][0-9]{0,13}\*|\*[0-9]{2,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}", re.ASCII)
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """``asked``: by name, as REST takes them; ``faults``: what is wrong with what was typed, by name."""

    asked: Mapping[str, str]
    faults: Mapping[str, str]

    def filters(self, now: datetime, oldest: datetime) -> dict[str, Any]:
        """As the store of the records takes them. Raises Problem for what REST would refuse."""
        since, until = (
            read_typed_instant(self.asked[n]) if n in self.asked else None for n in ("since", "until")
        )
        plain = {
            name: self.asked.get(name) for name in NAMES if name not in ("to", "since", "until", "key_id")
        }
        return {
            **number_filter(self.asked.get("to"), since, until, now),
            **plain,
            "key_id": UUID(self.asked["key_id"]) if "key_id" in self.asked else None,
            "since": max(since, oldest) if since else oldest,
            "until": until,
        }


def read_query(given: Mapping[str, str], zone_name: str, now: datetime) -> DecisionQuery:
    """What was typed, however it was spelt. A day is the viewer's, and the last one counts whole."""
    asked: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name in NAMES:
        text = given.get(name, "").strip()
        if text:
            try:
                asked[name] = _READERS[name](text, zone_name)
            except ValueError as error:
                faults[name] = str(error)
    if "*" in asked.get("to", "") and "since" not in asked and "since" not in faults:
        end = read_typed_instant(asked["until"]) if "until" in asked else now
        asked["since"] = rfc3339(end.replace(second=0, microsecond=0) - LONGEST_PERIOD + timedelta(minutes=1))
    return DecisionQuery(asked, faults)


def chips(asked: Mapping[str, str], zone_name: str) -> list[tuple[str, str]]:
    """The filters in words, by name."""
    return [(name, _said(name, value, zone_name)) for name, value in asked.items()]


def _said(name: str, value: str, zone_name: str) -> str:
    if name in ("since", "until"):
        at = read_typed_instant(value).astimezone(zone(zone_name))
        return f"{'from' if name == 'since' else 'before'} {at.day} {at:%b %Y %H:%M %Z}"
    if name == "to":
        if value.startswith("*"):
            return f"to numbers ending in {value[1:]}"
        return f"to numbers beginning with {value[:-1]}" if value.endswith("*") else f"to {as_written(value)}"
    if name == "from":
        return f"from {as_written(value)}"
    known = {"type": TYPES, "verdict": VERDICTS, "purpose": PURPOSES}
    if name == "code":
        return next(reason.word for reason in REASONS if reason.code == value).lower()
    if name in known:
        return known[name][value]
    return f"{name.replace('key_id', 'key')} {value}"


def _to(text: str, _: str) -> str:
    compact = re.sub(r"[\s().-]", "", text)
    return compact if _PART.fullmatch(compact) else read_number(text)


def _sender(text: str, _: str) -> str:
    return text if _SHORT_CODE.fullmatch(text) else read_number(text)


def _one_of(known: Mapping[str, str]) -> Any:
    def read(text: str, _: str) -> str:
        if text not in known:
            raise ValueError(f"Choose one of: {', '.join(known)}.")
        return text

    return read


def _words(text: str, _: str) -> str:
    if len(text) > 64:
        raise ValueError("That is longer than 64 characters, which no campaign’s name is.")
    return text


def _pool(text: str, _: str) -> str:
    if not _POOL.fullmatch(text):
        raise ValueError("A pool’s name has letters, digits, dots, - and _ only.")
    return text


def _key(text: str, _: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("That is no key’s id; it stands under Keys, as 0198b2c4-….") from None


def _instant(text: str, zone_name: str, *, whole_day: bool = False) -> str:
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=int(whole_day))
            text = rfc3339(datetime.combine(day, time(), zone(zone_name)).astimezone(UTC))
        return rfc3339(read_typed_instant(text))
    except (ValueError, OverflowError):
        raise ValueError("Write a day as 2026-03-31, or an instant as 2026-03-31T18:00Z.") from None


_READERS: Mapping[str, Any] = {
    "to": _to,
    "from": _sender,
    "type": _one_of(TYPES),
    "verdict": _one_of(VERDICTS),
    "code": _one_of({reason.code: reason.word for reason in REASONS}),
    "campaign": _words,
    "purpose": _one_of(PURPOSES),
    "pool": _pool,
    "key_id": _key,
    "since": _instant,
    "until": lambda text, zone_name: _instant(text, zone_name, whole_day=True),
}
