"""What the commands that ask without sending have in common: their options, and the facts from the stores."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from app import clock
from app.accounts.cli import account_of, with_database
from app.accounts.command_access import instant_or_exit
from app.instants import JUDGED, JUDGED_YEARS
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
    artificial = "artificial"


class LineType(str, Enum):  # noqa: UP042
    """What line the number is of."""

    mobile = "mobile"
    landline = "landline"
    voip = "voip"


Zip = Option(None, "--zip", help="US ZIP code.", rich_help_panel=PLACE)
Region = Option(None, "--region", help="ISO 3166-2, as US-CA.", rich_help_panel=PLACE)
Timezone = Option(None, "--timezone", help="IANA name, as America/Denver.", rich_help_panel=PLACE)
Line = Option(None, "--line-type", help="What line it is; unknown counts as whatever binds more.")
Business = Option(False, "--business", help="The person is reached as a business.")


class ConsentKind(str, Enum):  # noqa: UP042
    """What the person agreed to."""

    express = "express"
    express_written = "express_written"
    purchase = "purchase"
    inquiry = "inquiry"


Presented = Option(None, "--consent", help="Present a consent of this kind, given at that moment.")
At = Option(None, "--at", help="RFC 3339, as 2026-11-21T18:00:00Z; now when absent.")


def refuse_hint(unusable: Unusable) -> NoReturn:
    """End with the fault of a hint, named as the option is."""
    told = str(unusable).replace("recipient.", "")
    for field, option in (("postal_code", "--zip"), ("region", "--region"), ("timezone", "--timezone")):
        told = option + told.removeprefix(field) if told.startswith(field) else told
    fail(told, USAGE)


def instant_of(text: str | None) -> datetime:
    """The instant of an RFC 3339 text, or now; anything else ends the command, as it ends a preview."""
    if text is None:
        return clock.utc_now()
    at = instant_or_exit("--at", text)
    if not JUDGED_YEARS[0] <= at.year <= JUDGED_YEARS[1]:
        fail(f"--at {JUDGED}", USAGE)
    return at


def number_of(text: str) -> str:
    """The number, if it can be dialled; anything else ends the command, before anything heavy is read."""
    from app.numbering import NumberError, plan_numbers

    try:
        return plan_numbers().parse(text).e164
    except NumberError as error:
        fail(f"{text}: {error.reason}", USAGE)


def recipient_of(
    postal_code: str | None,
    region: str | None,
    timezone: str | None,
    line_type: LineType | None = None,
    business: bool = False,
) -> Recipient | None:
    """The hints, or None when none is given."""
    from app.guardrail.facts import Recipient

    if postal_code is None and region is None and timezone is None and line_type is None and not business:
        return None
    return Recipient(
        postal_code=postal_code,
        region=region,
        timezone=timezone,
        kind="business" if business else "consumer",
        line_type=line_type.value if line_type is not None else None,
    )


def rule_set_or_exit(*, texts: bool) -> RuleSet:
    """The rules and tables; a broken one ends the command. What only texts need is left out unless asked for."""
    from app.intents.services import load_rule_set
    from app.platform.files.broken_file import BrokenRuleFile

    directory = settings_or_exit().rules_dir
    try:
        return load_rule_set(directory, texts=texts)
    except BrokenRuleFile as error:
        fail(f"a rule file is broken: {error}", UNAVAILABLE)


def facts_about(number: str, account: str | None, campaign: str = "") -> Facts:
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
            database,
            [Ask(key_hash, number, campaign=campaign, others=asked_line(number)[1:])],
            clock.utc_now(),
        )
        return gathered.facts

    return with_database(work)
