"""The rules of the releases before packs: one file, ``calling_windows.toml``, read as the pack that it would be.

For ``callgate law diff`` alone, so that a change of the law can be shown against what was answered before there were
packs: hours, clocks, scopes and holidays are what they were then. The single file bound every kind of recipient, knew
no dates of its own (``effective`` was shown and never used), and held a country without a rule to the same short hours
on every day. Its caps are not read, since a diff is about hours.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from app.law import window_loader
from app.law.window_rules import WindowRules
from app.numbering.zones import country_names, zones_of_countries
from app.platform.files.broken_file import BrokenRuleFile

_TOP = {"version", "compiled", "minimum_tzdata", "fallback_windows", "fallback_citation", "calendar", "rule"}
_KEPT = (
    "id", "name", "jurisdiction", "also_in", "scope", "text", "adds_nothing", "weekday", "saturday", "sunday",
    "holiday", "eve", "calendar", "clocks", "solicitation_only", "outside", "citation", "note",
)  # fmt: skip
_OBSERVED: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "monday": {"sunday": "monday"},
    "nearest_weekday": {"saturday": "friday", "sunday": "monday"},
}


def load(file: Path) -> WindowRules:
    """Read and check the file; BrokenRuleFile with the file and the reason when it is none of the kind."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        if set(told) - _TOP or not isinstance(told.get("rule"), list):
            raise BrokenRuleFile(file, None, "is neither a directory of rule files nor a file of rules")
        checked = told["compiled"]
        with tempfile.TemporaryDirectory() as made:
            pack = Path(made) / file.stem
            (pack / "windows").mkdir(parents=True)
            top = {key: told[key] for key in ("version", "compiled", "minimum_tzdata", "fallback_windows")}
            top["fallback_citation"] = f"no rule for {{country}} is on file: {told['fallback_citation']}"
            _write(pack / "pack.toml", top)
            calendars = [_calendar(each, checked) for each in told.get("calendar", ())]
            _write(pack / "calendars.toml", {"calendar": calendars})
            _write(pack / "caps.toml", {})
            rules = [_rule(each, checked) for each in told["rule"]]
            _write(pack / "windows" / "rules.toml", {"rule": rules})
            _write(pack / "windows" / "without.toml", {"rule": _without(rules, told)})
            return window_loader.load(pack)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise BrokenRuleFile(file, None, "is no TOML") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenRuleFile(file, None, f"is no file of rules of an earlier release: {error!r}") from None


def _calendar(old: Mapping[str, Any], checked: date) -> dict[str, Any]:
    kept = _OBSERVED[old["moved"]]
    days = [
        {
            "name": f"{old['id']} {written}",
            "month": int(written[:2]),
            "day": int(written[3:]),
            "observed": kept,
        }
        for written in old["extra"]
    ]
    return {
        "id": old["id"], "country": old["country"], "subdivisions": old["subdivisions"], "base": "package",
        "days": days, "confidence": "low", "checked": checked,
    }  # fmt: skip


def _rule(old: Mapping[str, Any], checked: date) -> dict[str, Any]:
    return {
        **{key: old[key] for key in _KEPT if key in old},
        "recipients": ["consumer", "business"],
        "exemptions": [],
        "confidence": "low",
        "checked": checked,
    }


def _without(rules: list[dict[str, Any]], told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The hours of every country that has no rule: the same on each of its days."""
    ruled = {place for rule in rules for place in (rule["jurisdiction"], *rule.get("also_in", ()))}
    hours = dict.fromkeys(("weekday", "saturday", "sunday"), told["fallback_windows"])
    return [
        {
            "id": country, "name": f"{country_names().get(country, country)}: no rule on file",
            "jurisdiction": country, "scope": "all", "text": "conservative",
            "recipients": ["consumer", "business"], **hours, "holiday": "none", "clocks": ["called_party"],
            "solicitation_only": False, "exemptions": [], "citation": told["fallback_citation"],
            "confidence": "low", "checked": told["compiled"],
        }
        for country in sorted(zones_of_countries())
        if country not in ruled
    ]  # fmt: skip


def _write(file: Path, table: Mapping[str, Any]) -> None:
    lines = []
    for key, value in table.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            for each in value:
                lines += [f"[[{key}]]", *(f"{name} = {_toml(item)}" for name, item in each.items())]
        else:
            lines.append(f"{key} = {_toml(value)}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
