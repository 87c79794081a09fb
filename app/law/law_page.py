"""Writes ``docs/law.md`` from the rule file: ``python -m app.law.law_page > docs/law.md``."""

from __future__ import annotations

import sys

from app.law import window_loader as calling_windows
from app.law.window_rules import CALLED_PARTY, LegalCap, Minutes, WindowRule, WindowRules

_HEAD = """# The law of the calling window

Generated from `app/law/calling_windows.toml`, version {version}; a test keeps it in step. Do not edit it
here: change the file and run `python -m app.law.law_page > docs/law.md`.

This is not legal advice. Confidence says what was seen: *high*, the text or two independent sources;
*medium*, one secondary source; *low*, memory.

How to read the table: hours are half open, `09:00-20:00` closes at 20:00:00 sharp. Every rule of every place
where the person may be holds on every clock that they may keep. *Texts*: whether the rule binds SMS;
*conservative* means that the law is silent or unsettled, and texts are held to it. *Informational*: *free*
where the text is about solicitation only, so that a policy with `informational_windows: law` frees
informational intents; *bound* where it is not. *Lifted by*: the consents on record that lift the rule.
"""


def page(rules: WindowRules) -> str:
    """The whole page."""
    applied = [rule for rule in rules.rules if not rule.adds_nothing]
    general = [rule for rule in applied if rule.scope == "all"]
    special = [rule for rule in applied if rule.scope != "all"]
    plain = [rule for rule in rules.rules if rule.adds_nothing]
    parts = [
        _HEAD.format(version=rules.version),
        "## All calls, and texts where the rule says so\n",
        _table([*general, rules.fallback]),
        "## Recorded voices, and rules that Callgate cannot apply\n",
        "Rules of scope *securities* are listed only: an intent does not say that it is about securities.\n",
        _table(special),
        "## Caps on attempts\n",
        _caps(applied),
        "## Declared emergencies\n",
        _emergencies(applied),
        "## Nothing narrower found\n",
        "In these places only the rule of the country holds.\n",
        _plain(plain),
        "## Notes and sources\n",
        _notes([*applied, rules.fallback, *plain]),
    ]
    return "\n".join(parts)


def _table(rules: list[WindowRule]) -> str:
    lines = [
        "| id | place | scope | Monday to Friday | Saturday | Sunday | holidays | clock | texts "
        "| informational | lifted by | citation | confidence |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for rule in rules:
        hours = rule.hours
        cells = (
            f"`{rule.id}`",
            rule.name + (f" (also {', '.join(rule.also_in)})" if rule.also_in else ""),
            rule.scope,
            _hours(hours.weekday),
            _hours(hours.saturday),
            _hours(hours.sunday),
            _holidays(rule),
            " and ".join("the person's" if clock == CALLED_PARTY else clock for clock in rule.clocks),
            rule.text,
            "free" if rule.solicitation_only else "bound",
            ", ".join(
                item.kind + (f" of at most {item.within_months} months" if item.within_months else "")
                for item in rule.exemptions
            )
            or "nothing",
            rule.citation + (f" (since {rule.effective})" if rule.effective else ""),
            rule.confidence,
        )
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _hours(windows: tuple[Minutes, ...]) -> str:
    return ", ".join(f"{_time(start)}-{_time(end)}" for start, end in windows) or "closed"


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _holidays(rule: WindowRule) -> str:
    calendar = rule.hours.calendar
    if calendar is None or rule.hours.holiday == "none":
        return "as other days"
    kept = f"closed ({calendar.id})" if rule.hours.holiday == "ban" else f"Sunday's hours ({calendar.id})"
    return kept + (", the eve keeps Saturday's hours" if rule.hours.eve == "saturday" else "")


def _caps(rules: list[WindowRule]) -> str:
    lines = ["| id | at most | counts | of one subject only | citation |", "|---|---|---|---|---|"]
    for rule in rules:
        for cap in rule.caps:
            subject = "yes, and all attempts are taken for one" if cap.same_subject else "no"
            counts = " and ".join(sorted(cap.counts))
            lines.append(f"| `{rule.id}` | {_cap(cap)} | {counts} | {subject} | {_cell(rule.citation)} |")
    return "\n".join(lines) + "\n"


def _cap(cap: LegalCap) -> str:
    if cap.unit == "after_refusal":
        return f"{cap.max} in {cap.period} after a refusal, which Callgate keeps as an opt-out without end"
    return f"{cap.max} in {cap.period}, " + ("rolling" if cap.unit == "rolling" else "in calendar days")


def _emergencies(rules: list[WindowRule]) -> str:
    lines = [
        "While the operator has declared one for a region, calls and texts there stop, whatever the purpose",
        "but `emergency`. Exempt are:\n",
    ]
    for rule in rules:
        if rule.emergency is not None:
            kinds = ", ".join(item.kind for item in rule.emergency.exemptions) or "nobody"
            lines.append(f"- {rule.name}: {kinds} ({rule.citation})")
    lines.append("- elsewhere: nobody")
    return "\n".join(lines) + "\n"


def _plain(rules: list[WindowRule]) -> str:
    lines = ["| id | place | confidence |", "|---|---|---|"]
    lines += [f"| `{rule.id}` | {rule.name} | {rule.confidence} |" for rule in rules]
    return "\n".join(lines) + "\n"


def _notes(rules: list[WindowRule]) -> str:
    lines = []
    for rule in rules:
        outside = f" Outside the rule: {'; '.join(rule.outside)}." if rule.outside else ""
        sources = ", ".join(f"<{item}>" if item.startswith("http") else item for item in rule.source)
        note = f" {rule.note}" if rule.note else ""
        lines.append(f"- `{rule.id}`:{note}{outside} Source: {sources}.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(calling_windows.load()))
