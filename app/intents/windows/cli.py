"""callgate windows: when a number may be reached over the next days, as a timeline."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

import typer

from app.accounts.cli import AccountOption, AsJson
from app.intents.check.inquiry import (
    At,
    Purpose,
    Region,
    Timezone,
    VoiceType,
    Zip,
    facts_about,
    instant_of,
    number_of,
    recipient_of,
    refuse_hint,
    rule_set_or_exit,
)
from app.platform.printing import console, print_json


class Kind(str, Enum):  # noqa: UP042  typer shows the values
    """What would go out."""

    call = "call"
    sms = "sms"


def windows(
    number: str = typer.Argument(help="Who would be called or texted, as +14155551234."),
    days: int = typer.Option(7, min=1, max=14, help="How far to look, in times of 24 hours."),
    kind: Kind = typer.Option(Kind.call, "--type", help="What would go out."),
    purpose: Purpose = typer.Option(Purpose.marketing, help="Why the person is contacted."),
    voice_type: VoiceType = typer.Option(VoiceType.live, help="Of a call: who speaks."),
    at: str | None = At,
    postal_code: str | None = Zip,
    region: str | None = Region,
    timezone: str | None = Timezone,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Show when a number may be reached, on every clock, and which rule takes what away.

    The exit status is 0 when there is an opening in these days and 1 when there is none.
    """
    to, start = number_of(number), instant_of(at)
    rule_set = rule_set_or_exit(texts=False)

    from app.calling_window import outlook_document
    from app.calling_window.terminal_timeline import timeline
    from app.guardrail.facts import Intent
    from app.intents.check.verdict_text import WHAT_HELPS
    from app.intents.windows.forecast_windows import outlook_of
    from app.platform.outcomes import Unusable

    intent = Intent(
        type="call" if kind is Kind.call else "sms",
        to=to,
        sender="",
        purpose=purpose.value,
        voice_type=voice_type.value if kind is Kind.call else "live",
        recipient=recipient_of(postal_code, region, timezone),
    )
    try:
        forecast = outlook_of(rule_set, intent, facts_about(to, account), start, days)
    except Unusable as unusable:
        refuse_hint(unusable)
    if as_json:
        print_json(outlook_document(forecast))
    else:
        told = replace(forecast, help=WHAT_HELPS) if forecast.help else forecast
        out = console()
        out.print(timeline(told, out.width))
    raise typer.Exit(0 if forecast.open else 1)
