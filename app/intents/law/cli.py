"""callgate law: check a pack, show the rules of a place, name what is stale, compare packs, replay, reload."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app import clock
from app.accounts.cli import AccountOption, AsJson, account_of, with_database
from app.instants import read_instant
from app.platform.environment import USAGE, fail, settings_or_exit
from app.platform.printing import console, print_json

if TYPE_CHECKING:
    from app.law.conditions.consent_rules import ConsentRules
    from app.law.verdict_diff import Change
    from app.law.window_rules import WindowRules

app = typer.Typer(help="The rules of the calling window: check, show, compare, reload.", no_args_is_help=True)
BROKEN = 1
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
Pack = typer.Argument(help="A directory of rule files.", exists=True, file_okay=False)
Either = typer.Argument(
    help="A directory of rule files, or the one file of the releases before packs.", exists=True
)
Rules = typer.Option(None, "--rules", help="A directory of rule files; else those in force.", file_okay=False)
Day = typer.Option(None, "--day", help="A date, as 2026-12-01; today when absent.")


@app.command()
def check(directory: Path = Pack) -> None:
    """Check a pack whole: 0 when it can be used, 1 with file, line and reason when not."""
    rules = _checked(directory)
    console().print(
        f"{rules.name} {rules.version}: {len(rules.rules)} rules, {len(rules.caps)} caps, {rules.digest}"
    )


@app.command()
def show(
    region: str = typer.Argument(help="A country or a region of one, as US-PA."),
    day: str | None = Day,
    rules: Path | None = Rules,
    as_json: bool = AsJson,
) -> None:
    """Show the rules of a place on a day, and what changes after it."""
    from app.law.law_documents import law_in_force
    from app.numbering import load as load_number_locator
    from app.numbering.zones import country_names

    if region not in country_names() and load_number_locator().regions.find(region) is None:
        fail(f"{region}: no country or region that is known here", USAGE)
    found: dict[str, Any] = law_in_force(_load(rules), _day(day), region)
    if as_json:
        print_json(found)
        return
    out = console()
    for rule in found["rules"]:
        hours = rule["hours"]
        week = "; ".join(
            f"{name} {_spoken(hours[key])}"
            for name, key in (("Mon-Fri", "weekday"), ("Sat", "saturday"), ("Sun", "sunday"))
        )
        holidays = {"none": "", "ban": "; holidays closed", "sunday": "; holidays as Sundays"}[
            hours["holidays"]
        ]
        out.print(f"[bold]{rule['id']}[/bold] {rule['name']}", markup=True)
        out.print(f"  {week}{holidays}; texts: {rule['binds_texts']}", markup=False)
        out.print(f"  {rule['citation']} ({rule['confidence']}, checked {rule['checked']})", markup=False)
    for change in found["changes"]:
        out.print(f"{change['date']}: {change['rule']} {change['what']} ({change['citation']})", markup=False)


@app.command()
def stale(
    days: int = typer.Option(90, min=1, help="For how long nobody may have looked."),
    day: str | None = Day,
    rules: Path | None = Rules,
) -> None:
    """Name what nobody looked at for so many days; 1 when there is anything."""
    from app.law.window_loader import stale as stale_rules

    found = stale_rules(_load(rules), _day(day), days)
    for name, checked in sorted(found.items(), key=lambda item: (item[1], item[0])):
        console().print(f"{checked} {name}", markup=False)
    if found:
        raise typer.Exit(1)


@app.command()
def diff(
    old: Path = Either,
    new: Path = Either,
    day: str | None = Day,
    days: int = typer.Option(400, min=7, max=1500, help="How far to look."),
    as_json: bool = AsJson,
) -> None:
    """Print every verdict that differs between two packs, with the rules that made it; 1 when there is any."""
    from app.law.verdict_diff import places_of_the_world, verdicts_that_differ
    from app.numbering import load as load_number_locator

    before, after = _load(old), _load(new)
    places = places_of_the_world(load_number_locator().regions)
    found = verdicts_that_differ(before, after, places, _day(day), days)
    if as_json:
        print_json([_document(change) for change in found])
    else:
        out = console()
        out.print(f"{before.name} {before.version} and {after.name} {after.version}: ", markup=False, end="")
        out.print(
            f"{len(found)} differences at {len({change.place for change in found})} places", markup=False
        )
        for change in found:
            out.print(_line(change), markup=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)


@app.command()
def reload() -> None:
    """Have the service take up its rules anew: 0 when they are in force, 1 when the old ones stay."""
    from app.intents.law.reload_file import NobodyServes, ReloadFile
    from app.law import window_loader
    from app.platform.embedded import default_data_dir

    settings = settings_or_exit()
    _checked(settings.rules_dir or window_loader.DIRECTORY)
    try:
        standing = ReloadFile(settings.data_dir or default_data_dir(), settings.port).ask()
    except NobodyServes:
        fail(f"no service of this machine was started for port {settings.port} with this data directory")
    if standing.error:
        fail(f"the rules stay as they are: {standing.error}", BROKEN)
    console().print(f"in force: {standing.pack} {standing.digest}", markup=False)


def _checked(directory: Path) -> WindowRules:
    """A pack that a service would take, of which every file was read."""
    from app.intents.services import check_pack
    from app.platform.files.broken_file import BrokenRuleFile

    try:
        return check_pack(directory.absolute())
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", BROKEN)


def _load(directory: Path | None) -> WindowRules:
    from app.law import single_file, window_loader
    from app.platform.files.broken_file import BrokenRuleFile

    chosen = (directory or settings_or_exit().rules_dir or window_loader.DIRECTORY).absolute()
    try:
        return single_file.load(chosen) if chosen.is_file() else window_loader.load(chosen)
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", BROKEN)


def _day(written: str | None) -> date:
    if written is None:
        return clock.utc_now().date()
    try:
        return date.fromisoformat(written if _DATE.fullmatch(written) else "")
    except ValueError:
        fail("--day must be a date, as 2026-12-01", USAGE)


def _spoken(spans: list[dict[str, str]]) -> str:
    return ", ".join(f"{span['opens']}-{span['closes']}" for span in spans) or "closed"


def _document(change: Change) -> dict[str, Any]:
    return {
        "place": change.place,
        "now": change.now,
        "rules": list(change.rules),
        "about": change.bound,
        "times": change.times,
        "seconds": change.seconds,
        "clock": change.clock,
        "first": [edge.isoformat() for edge in change.first or ()],
        "last": [edge.isoformat() for edge in change.last or ()],
    }


def _line(change: Change) -> str:
    assert change.first is not None
    assert change.last is not None
    first, last = (f"{begin:%a %Y-%m-%d %H:%M}-{end:%H:%M}" for begin, end in (change.first, change.last))
    span = first if first == last else f"{first} … {last}"
    whose = "closed by" if change.now == "closed" else "open, no longer closed by"
    return (
        f"{change.place}: {whose} {', '.join(change.rules)}: {span} ({change.times} times, "
        f"{change.seconds / 3600:.0f} h; {'; '.join(change.bound)})"
    )


@app.command()
def replay(
    since: str = typer.Option(help="RFC 3339, or a date."),
    until: str | None = typer.Option(None, help="RFC 3339, or a date; now when absent."),
    rules: Path | None = Rules,
    day: str | None = Day,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Decide recorded intents anew by another pack, or as if on another day; count what would differ by campaign.

    The exit status is 1 when anything would.
    """
    from app.accounts.read_policy import read_account_policy
    from app.calling_window.holidays.store import since as holidays_since
    from app.intents.law.replay import Conditions, Replay
    from app.intents.law.store import declared_emergencies, recorded_intents
    from app.law import window_loader
    from app.numbering import load as load_number_locator

    in_force = _load(settings_or_exit().rules_dir or window_loader.DIRECTORY)
    other = _load(rules) if rules is not None else in_force
    begin, end = _instant(since), _instant(until) if until else clock.utc_now()
    on = _day(day) if day is not None else None
    unlike = _unlike(settings_or_exit().rules_dir or window_loader.DIRECTORY, rules)

    async def work(database: Any) -> Replay:
        account_id = await account_of(database, account)
        policy = await read_account_policy(database, account_id)
        async with database.begin() as connection:
            holidays = await holidays_since(connection, min(begin.date(), on or begin.date()))
        conditions = Conditions(*unlike, await declared_emergencies(database), holidays)
        found = Replay(in_force, other, load_number_locator(), policy, on, conditions)
        async for rows in recorded_intents(database.bulk, account_id, begin, end):
            found.feed(rows)
        return found

    found = with_database(work)
    if as_json:
        campaigns = {name: asdict(tally) for name, tally in found.tallies.items()}
        print_json({"campaigns": campaigns, "unplaced": found.unplaced})
    else:
        for name, tally in sorted(found.tallies.items()):
            told = ", ".join(f"{rule} {count}" for rule, count in sorted(tally.rules.items()))
            open_questions = ", ".join(f"{what} {count}" for what, count in sorted(tally.undecided.items()))
            console().print(
                f"{name or '(no campaign)'}: {tally.decisions} decisions, {tally.blocked} would be blocked, "
                f"{tally.opened} would be open"
                + (f" ({told})" if told else "")
                + (f"; not decided: {open_questions}" if open_questions else ""),
                markup=False,
                soft_wrap=True,
            )
    if any(tally.blocked or tally.opened for tally in found.tallies.values()):
        raise typer.Exit(1)


def _unlike(in_force: Path, other: Path | None) -> tuple[tuple[ConsentRules, ConsentRules] | None, bool]:
    """The consents that the two packs ask for, where they differ; and whether they differ in what lifts lists."""
    from app.law.conditions import consent_rules, list_rules
    from app.platform.files.broken_file import BrokenRuleFile

    if other is None:
        return None, False

    def differ(name: str) -> bool:
        one, two = ((each.absolute() / name) for each in (in_force, other))
        return one.read_bytes() != two.read_bytes()

    try:
        old, new = (consent_rules.load(each.absolute() / "consents.toml") for each in (in_force, other))
        for each in (in_force, other):
            list_rules.load(each.absolute() / "lists.toml")
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", BROKEN)
    return (old, new) if differ("consents.toml") else None, differ("lists.toml")


def _instant(written: str) -> datetime:
    try:
        return read_instant(written)
    except ValueError:
        fail(f"{written} is neither a date nor an RFC 3339 instant", USAGE)
