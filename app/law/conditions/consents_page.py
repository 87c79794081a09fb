"""Writes ``docs/consents.md`` from the rules: ``python -m app.law.conditions.consents_page > docs/consents.md``."""

from __future__ import annotations

import sys
from typing import Any

from app.law.conditions import consent_rules, disclosures, list_rules
from app.law.conditions.consent_rules import ConsentRule, ConsentRules
from app.law.conditions.disclosures import Disclosures
from app.law.conditions.list_rules import ListExemption, ListRules

_HEAD = """# Consents that the law requires, and what they lift

Made from `app/law/rules/consents.toml` ({consents}), `lists.toml` ({lists}) and `disclosures.toml` ({disclosures}).
Do not edit it here: change the files and run `python -m app.law.conditions.consents_page > docs/consents.md`. It is
not legal advice.

A rule refuses a contact with `consent-required` unless one of the kinds that would do is on record or presented, and
young enough. Every rule of every place where the person may be holds; a line of unknown type counts as whatever binds
more. *Left open*: the law asks for nothing, and the account's policy decides (`consent`). *Confidence*: high, a clause
was read in the text, a mirror of it or a bill; medium, second hand; low, memory. `EU` stands for its members,
and a country for its parts that ISO 3166-1 names apart: `FR` for Guadeloupe, Martinique, Guiana, Reunion and the others
overseas, `FI` for Aland, `GB` for Guernsey, Jersey and the Isle of Man, where no rule of their own was read.
"""


def page(rules: ConsentRules, lists: ListRules, said: Disclosures) -> str:
    """The whole page."""
    parts = [
        _HEAD.format(consents=rules.version, lists=lists.version, disclosures=said.version),
        "## Required consents\n",
        "| rule | channels and voices | purposes | lines | recipients | kinds that would do | source | confidence |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(rule) for rule in rules.rules),
        "\n## What was read\n",
        *(f"- `{rule.id}`: {_read(rule.about or {})}" for rule in rules.rules),
        "\n## What lifts a hit on a list\n",
        "Of a kind the row of the most specific region stands; what is not listed lifts nothing.\n",
        "| list | region | kind | for | source | confidence |",
        "|---|---|---|---|---|---|",
        *(_exemption(row) for row in lists.exemptions),
        "\n## Lists that are kept\n",
        "| region | list | keeper | to be renewed | source | confidence |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.region} | [{_cell(row.name)}]({row.url}) | {_cell(row.keeper)} | {row.renew} "
            f"| {_cell(row.citation)} | {row.confidence} |"
            for row in lists.lists
        ),
        "\n## What a recorded or artificial voice must say\n",
        "| rule | voices | say | when | source | confidence |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{item.id}` | {', '.join(sorted(item.voices))} | {_cell(item.say)} "
            f"| {item.when}{', if recorded' if item.only_if else ''}{'' if item.required else ', not in force'} "
            f"| {_cell(item.citation)} | {item.confidence} |"
            for item in dict.fromkeys(item for found in said.by_place.values() for item in found)
        ),
    ]
    return "\n".join(parts) + "\n"


def _row(rule: ConsentRule) -> str:
    kinds = " or ".join(
        f"`{kind.kind}`" + (f" of the last {kind.within_months} months" if kind.within_months else "")
        for kind in rule.requires
    )
    if rule.left_open:
        kinds = f"left open ({kinds})" if kinds else "left open"
    dates = "".join(
        f", {word} {day}"
        for word, day in (("from", rule.effective_from), ("until", rule.effective_until))
        if day is not None
    )
    reached = "any voice" if len(rule.voices) == 3 else ", ".join(sorted(rule.voices))
    return (
        f"| `{rule.id}` | {', '.join(sorted(rule.channels))}; {reached} | {', '.join(sorted(rule.purposes))} "
        f"| {'any' if len(rule.line_types) == 3 else ', '.join(sorted(rule.line_types))} "
        f"| {', '.join(sorted(rule.recipients))} | {kinds or 'none: a ban'}{dates} "
        f"| {_cell(rule.citation)} | {rule.confidence} |"
    )


def _read(about: dict[str, Any] | Any) -> str:
    sources = about.get("sources", {})
    parts = [about.get("note", "")]
    if "quote" in about:
        parts.append(f"“{about['quote']}” ({about.get('quote_in')}, read {about.get('quote_read')}).")
    for word, name in (("Text", "text"), ("Told by", "commentary"), ("Not seen", "unread")):
        if sources.get(name):
            parts.append(f"{word}: {', '.join(_link(each) for each in sources[name])}.")
    if "watch" in about:
        parts.append(f"Watch: {about['watch']}.")
    parts.append(f"Checked {about.get('checked')}.")
    return " ".join(part for part in parts if part)


def _exemption(row: ListExemption) -> str:
    if row.none:
        how_long = "lifts nothing"
    elif row.age.within_days is not None:
        how_long = f"{row.age.within_days} days"
    else:
        how_long = f"{row.age.within_months} months" if row.age.within_months else "as long as it stands"
    return (
        f"| `{row.registry}` | {'everywhere' if row.region == '*' else row.region} "
        f"| {row.kind or 'every other kind'} | {how_long} | {_cell(row.citation)} | {row.confidence} |"
    )


def _link(source: str) -> str:
    return f"<{source}>" if source.startswith("http") else source


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page(consent_rules.load(), list_rules.load(), disclosures.load()))
