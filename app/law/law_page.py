"""Writes ``docs/law.md`` from the rules: ``python -m app.law.law_page > docs/law.md``."""

from __future__ import annotations

import sys

from app.law import window_loader as calling_windows
from app.law.calendar_days import WEEKDAYS, CalendarDay
from app.law.window_rules import (
    CALLED_PARTY,
    Exemption,
    LegalCap,
    Minutes,
    PlaceCap,
    Provenance,
    WindowRule,
    WindowRules,
)

_HEAD = """# The law of the calling window

Generated from `app/law/rules`, version {version} of {compiled}; a test keeps it in step. Do not edit it
here: change the files and run `python -m app.law.law_page > docs/law.md`.

This is not legal advice. Confidence says what was seen: *high*, a clause of the text, of a mirror of it or of a
bill, quoted below; *medium*, a second hand; *low*, memory, or a choice of the house.

How to read the tables: hours are half open, `09:00-20:00` closes at 20:00:00 sharp. Every rule of every place
where the person may be holds on every clock that they may keep. *Texts*: whether the rule binds SMS;
*conservative* means that the law is silent or unsettled, and texts are held to it. Where a rule is different for
texts, a line of its own says how. *Reaches*: whose calls; a rule about consumers leaves out intents whose recipient
is a business. *Informational*: *free* where the text is about solicitation only, so that a policy with
`informational_windows: law` frees informational intents; *bound* where it is not. *Lifted by*: the consents on
record that lift the rule, and how old they may be. A rule holds from the midnight of the place with which its first
day begins, until the midnight before the day on which it no longer does.
"""


def page(rules: WindowRules) -> str:
    """The whole page."""
    applied = [rule for rule in rules.rules if not rule.adds_nothing]
    general = [rule for rule in applied if rule.scope == "all"]
    special = [rule for rule in applied if rule.scope != "all"]
    plain = [rule for rule in rules.rules if rule.adds_nothing]
    parts = [
        _HEAD.format(version=rules.version, compiled=rules.compiled),
        "## All calls, and texts where the rule says so\n",
        _table(general),
        "## Recorded and artificial voices, and rules that Callgate cannot apply\n",
        "Rules of scope *securities* or *collections* are listed only: an intent does not say that it is about them.\n",
        _table(special),
        "## Everywhere else\n",
        _elsewhere(rules),
        "## Caps on attempts\n",
        _caps(applied),
        _place_caps(rules.caps),
        "## Declared emergencies\n",
        _emergencies(applied),
        "## Nothing narrower found\n",
        "In these places only the rule of the country holds.\n",
        _plain(plain),
        "## Notes, sources, and when somebody last looked\n",
        _notes([*applied, *plain]),
        "## Calendars\n",
        _calendars(rules),
    ]
    return "\n".join(parts)


def _table(rules: list[WindowRule]) -> str:
    lines = [
        "| id | place | scope | Monday to Friday | Saturday | Sunday | holidays | clock | texts | reaches "
        "| informational | lifted by | citation | holds | confidence | checked |",
        "|" + "---|" * 16,
    ]
    for rule in rules:
        lines.append(_row(rule, rule.text))
        if rule.texts is not None:
            lines.append(_row(rule.texts, "these hours"))
    return "\n".join(lines) + "\n"


def _row(rule: WindowRule, texts: str) -> str:
    hours = rule.hours
    cells = (
        f"`{rule.id}`",
        rule.name + (f" (also {', '.join(rule.also_in)})" if rule.also_in else ""),
        rule.scope,
        _hours(hours.weekday) + _closed(rule),
        _hours(hours.saturday),
        _hours(hours.sunday),
        _holidays(rule),
        " and ".join("the person's" if clock == CALLED_PARTY else clock for clock in rule.clocks),
        texts,
        "consumers and businesses" if "business" in rule.recipients else "consumers",
        "free" if rule.solicitation_only else "bound",
        _lifted_by(rule.exemptions),
        ("house: " if rule.house else "") + rule.citation,
        _holds(rule),
        rule.confidence,
        str(rule.read.checked),
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _closed(rule: WindowRule) -> str:
    names = [WEEKDAYS[day].capitalize() for day in sorted(rule.hours.closed)]
    return f", none on {' and '.join(f'{name}s' for name in names)}" if names else ""


def _lifted_by(exemptions: tuple[Exemption, ...]) -> str:
    ages = (
        f" of at most {item.within_months} months"
        if item.within_months
        else f" of at most {item.within_days} days"
        if item.within_days
        else ""
        for item in exemptions
    )
    return ", ".join(item.kind + age for item, age in zip(exemptions, ages, strict=True)) or "nothing"


def _holds(rule: WindowRule) -> str:
    begins, ends = rule.effective_from, rule.effective_until
    spoken = [f"from {begins}"] if begins else []
    return " ".join([*spoken, f"until {ends}"] if ends else spoken) or "always"


def _elsewhere(rules: WindowRules) -> str:
    fallback = rules.fallback
    lines = [
        f"In every other country: {_hours(fallback.hours.weekday)} on its working days, none on Saturdays, Sundays,",
        "the days on which it rests, and its holidays; texts alike. Nothing lifts that. The refusal names the country.",
        "Looked for, and nothing found:\n",
    ]
    lines += [f"- {country}: {reason}" for country, reason in rules.no_rule.items()]
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
    lines = ["| id | at most | counts | about | citation |", "|---|---|---|---|---|"]
    for rule in rules:
        own = [] if rule.texts is None or rule.texts.caps is rule.caps else rule.texts.caps
        for cap in (*rule.caps, *(cap for cap in own if cap not in rule.caps)):
            lines.append(
                f"| `{rule.id}` | {_cap(cap)} | {_counted(cap)} | {_about(cap)} | {_cell(rule.citation)} |"
            )
    return "\n".join(lines) + "\n"


def _place_caps(caps: tuple[PlaceCap, ...]) -> str:
    lines = ["| id | at most | counts | of | lifted by | applied | citation | confidence |", "|" + "---|" * 8]
    for item in caps:
        of = "; ".join(", ".join(sorted(names)) for names in (item.voices, item.purposes, item.line_types))
        cells = (
            f"`{item.id}`", _cap(item.cap), _counted(item.cap), of, _lifted_by(item.exemptions),
            "yes" if item.applied else "no", item.citation, item.confidence,
        )  # fmt: skip
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    notes = [f"- `{item.id}`: {item.note}{_read(item.read)}" for item in caps]
    return "\n".join([*lines, "", *notes]) + "\n"


def _counted(cap: LegalCap) -> str:
    ended = f" that ended {' or '.join(sorted(cap.results))}" if cap.results else ""
    return " and ".join(sorted(cap.counts)) + ended


def _about(cap: LegalCap) -> str:
    return "the intent's subject, or else anything" if cap.same_subject else "anything"


def _cap(cap: LegalCap) -> str:
    if cap.unit == "after_refusal":
        return f"{cap.max} in {cap.period} after it, which Callgate does not count: a refusal is an opt-out without end"
    return f"{cap.max} in {cap.period}, " + ("rolling" if cap.unit == "rolling" else "in calendar days")


def _emergencies(rules: list[WindowRule]) -> str:
    lines = [
        "While the operator has declared one for a region, calls and texts there stop, whatever the purpose",
        "but `emergency`. Exempt are:\n",
    ]
    for rule in rules:
        if rule.emergency is not None:
            kinds = _lifted_by(rule.emergency.exemptions).replace("nothing", "nobody")
            lines.append(f"- {rule.name}: {kinds} ({rule.citation})")
    lines.append("- elsewhere: nobody")
    return "\n".join(lines) + "\n"


def _plain(rules: list[WindowRule]) -> str:
    lines = ["| id | place | confidence | checked |", "|---|---|---|---|"]
    lines += [f"| `{rule.id}` | {rule.name} | {rule.confidence} | {rule.read.checked} |" for rule in rules]
    return "\n".join(lines) + "\n"


def _notes(rules: list[WindowRule]) -> str:
    lines = []
    for rule in rules:
        outside = f" Outside the rule: {'; '.join(rule.outside)}." if rule.outside else ""
        note = f" {rule.note}" if rule.note else ""
        lines.append(f"- `{rule.id}`:{note}{outside}{_read(rule.read)}")
        if rule.texts is not None and rule.texts.note != rule.note:
            lines.append(f"  - texts: {rule.texts.note}{_read(rule.texts.read)}")
    return "\n".join(lines) + "\n"


def _read(read: Provenance) -> str:
    parts = []
    if read.quote:
        parts.append(f' "{read.quote}" ({read.quote_in}, read {read.quote_read}).')
    for name, listed in (("Text", read.text), ("Told by", read.commentary), ("Not seen", read.unread)):
        if listed:
            links = ", ".join(f"<{item}>" if item.startswith("http") else item for item in listed)
            parts.append(f" {name}: {links}.")
    if read.watch:
        parts.append(f" Watch: {read.watch}.")
    return "".join(parts) + f" Checked {read.checked}."


def _calendars(rules: WindowRules) -> str:
    lines = [
        "Those that are more than the days that the holidays package has for a country. A day that is kept in doubt",
        "is kept.\n",
    ]
    for calendar in rules.calendars.values():
        if not calendar.days:
            continue
        own = "" if calendar.package else ", these days only"
        days = "; ".join(_day(day) for day in calendar.days)
        note = f" {calendar.note}" if calendar.note else ""
        lines.append(f"- `{calendar.id}`{own}: {days}.{note} Checked {calendar.checked}.")
    return "\n".join(lines) + "\n"


def _day(day: CalendarDay) -> str:
    limits = [f"from {day.effective_from}"] if day.effective_from else []
    limits += [f"until {day.effective_until}"] if day.effective_until else []
    limits += [f"area code {code}" for code in sorted(day.area_codes)]
    return day.name + (f" ({', '.join(limits)})" if limits else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(calling_windows.load()))
