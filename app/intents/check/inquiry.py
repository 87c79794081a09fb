"""What the commands that ask without sending have in common: their options, and the facts from the stores."""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from app import clock
from app.accounts.cli import account_of, with_database
from app.instants import read_instant
from app.platform.environment import UNAVAILABLE, USAGE, fail, settings_or_exit

if TYPE_CHECKING:
    from app.guardrail.facts import Facts, Recipient
    from app.intents.services import RuleSet
    from app.platform.outcomes import Unusable

Option = typer.Option
PLACE = "Where the person is"


class Purpose(str, Enum):  # noqa: UP042  typer shows the values
    """Why the person is contacted."""

    marketing = "marketing"
    informational = "informational"
    emergency = "emergency"


class VoiceType(str, Enum):  # noqa: UP042
    """Who speaks."""

    live = "live"
    prerecorded = "prerecorded"


Zip = Option(None, "--zip", help="US ZIP code.", rich_help_panel=PLACE)
Region = Option(None, "--region", help="ISO 3166-2, as US-CA.", rich_help_panel=PLACE)
Timezone = Option(None, "--timezone", help="IANA name, as America/Denver.", rich_help_panel=PLACE)
At = Option(None, "--at", help="RFC 3339, as 2026-11-21T18:00:00Z; now when absent.")


def refuse_hint(unusable: Unusable) -> NoReturn:
    """End with the fault of a hint, named as the option is."""
    told = str(unusable).replace("recipient.", "")
    for field, option in (("postal_code", "--zip"), ("region", "--region"), ("timezone", "--timezone")):
        told = option + told.removeprefix(field) if told.startswith(field) else told
    fail(told, USAGE)


def _whole(written: re.Match[str]) -> str:
    return f"{written[1]}T{written[2]}" + ("" if written[3] else ":00")


def instant_of(text: str | None) -> datetime:
    """The instant of an RFC 3339 text, or now; anything else ends the command."""
    if text is None:
        return clock.utc_now()
    try:
        # Seconds may be left out, and a blank stand for the T: it is typed by hand.
        return read_instant(re.sub(r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?=[Zz+-]|(:))", _whole, text))
    except ValueError:
        fail("--at must be an RFC 3339 instant with its offset (e.g. 2026-11-21T18:00:00Z)", USAGE)


def number_of(rule_set: RuleSet, text: str) -> str:
    """The number, if it can be dialled; anything else ends the command."""
    from app.numbering import NumberError

    try:
        return rule_set.number_locator.numbers.parse(text).e164
    except NumberError as error:
        fail(f"{text}: {error.reason}", USAGE)


def recipient_of(postal_code: str | None, region: str | None, timezone: str | None) -> Recipient | None:
    """The hints, or None when none is given."""
    from app.guardrail.facts import Recipient

    if postal_code is None and region is None and timezone is None:
        return None
    return Recipient(postal_code=postal_code, region=region, timezone=timezone)


def rule_set_or_exit() -> RuleSet:
    """The rules and tables; a broken one ends the command."""
    from app.intents.services import load_rule_set
    from app.platform.files.broken_file import BrokenRuleFile

    directory = settings_or_exit().rules_dir
    try:
        return load_rule_set() if directory is None else load_rule_set(directory)
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", UNAVAILABLE)


def facts_about(number: str, account: str | None) -> Facts:
    """What the stores know that bears on the number, for the account."""

    async def work(database: Any) -> Facts:
        from app.accounts import store as accounts
        from app.intents.facts_store import Ask, gather
        from app.numbering import asked_line

        account_id = await account_of(database, account)
        async with database.begin() as connection:
            key_hash = await accounts.any_key_hash(connection, account_id)
        if key_hash is None:
            fail(f"there is no account {account_id}", USAGE)
        (gathered,) = await gather(
            database, [Ask(key_hash, number, others=asked_line(number)[1:])], clock.utc_now()
        )
        return gathered.facts

    return with_database(work)
