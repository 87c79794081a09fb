"""callgate check: what would be decided, without asking over HTTP and without placing anything."""

from __future__ import annotations

import typer

from app.accounts.cli import AccountOption, AsJson
from app.intents.check.inquiry import (
    At,
    Business,
    ConsentKind,
    Line,
    LineType,
    Presented,
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
from app.platform.environment import UNAVAILABLE, USAGE, fail
from app.platform.printing import console, print_json
from app.platform.visible_text import is_blank


def check(
    number: str = typer.Argument(help="Who would be called or texted, as +14155551234."),
    sms: str | None = typer.Option(None, "--sms", metavar="TEXT", help="Check this text instead of a call."),
    sender: str | None = typer.Option(None, "--from", help="Caller id; a text's may be a short code."),
    purpose: Purpose = typer.Option(Purpose.marketing, help="Why the person is contacted."),
    at: str | None = At,
    voice_type: VoiceType = typer.Option(VoiceType.live, help="Of a call: who speaks."),
    campaign: str | None = typer.Option(None, help="Its label: whose abandoned calls are counted."),
    subject: str | None = typer.Option(None, help="What it is about: caps per subject count by it."),
    first_contact: bool = typer.Option(False, "--first-contact", help="Of a text: the first to this person."),
    postal_code: str | None = Zip,
    region: str | None = Region,
    timezone: str | None = Timezone,
    line_type: LineType | None = Line,
    business: bool = Business,
    consent: ConsentKind | None = Presented,
    account: str | None = AccountOption,
    as_json: bool = AsJson,
) -> None:
    """Say whether a call or a text would be approved, with every reason.

    Nothing is taken, counted or recorded; the channel is not asked for. The exit status is 0 for approved, 1 for
    blocked, 2 for a mistake in the command, and 3 when it cannot be told.
    """
    to, moment = number_of(number), instant_of(at)
    if sms is not None and not 1 <= len(sms) <= 1600:
        fail("--sms takes 1 to 1600 characters", USAGE)
    if sms is not None and is_blank(sms):
        fail("--sms must have a character that can be seen", USAGE)
    if sender is not None:
        _check_sender(sender, "call" if sms is None else "sms")
    rule_set = rule_set_or_exit(texts=sms is not None)

    from app.guardrail.facts import Intent, PresentedConsent
    from app.instants import rfc3339
    from app.intents.describe import describe_check
    from app.intents.evaluate import evaluate_intent
    from app.platform.http.verdict_json import members_of
    from app.platform.outcomes import CannotDecide, Unusable

    for option, label in (("--campaign", campaign), ("--subject", subject)):
        if label is not None and not 1 <= len(label) <= 64:
            fail(f"{option} takes 1 to 64 characters", USAGE)
    intent = Intent(
        type="call" if sms is None else "sms",
        to=to,
        sender=sender or "",
        purpose=purpose.value,
        campaign=campaign,
        subject=subject,
        body=sms,
        first_contact=first_contact,
        voice_type=voice_type.value,
        recipient=recipient_of(postal_code, region, timezone, line_type, business),
        consent=PresentedConsent(consent.value, moment, "callgate check") if consent is not None else None,
    )
    facts = facts_about(to, account, campaign or "")
    try:
        verdict = evaluate_intent(rule_set, intent, facts, moment).verdict
    except Unusable as unusable:
        refuse_hint(unusable)
    except CannotDecide as reason:
        fail(f"it cannot be told: {reason}", UNAVAILABLE)
    if as_json:
        violations = [
            {"code": v.refusal.code, "guardrail": v.refusal.guardrail, "detail": v.detail, **members_of(v)}
            for v in verdict.violations
        ]
        document = {
            "verdict": "blocked" if verdict.blocked else "approved",
            "at": rfc3339(moment),
            "type": intent.type,
            "to": to,
            **({"given": number} if number != to else {}),
            "purpose": intent.purpose,
            "checks": [describe_check(found) for found in verdict.checks],
            "violations": violations,
        }
        print_json(document)
    else:
        from app.intents.check.verdict_text import verdict_text

        scanned = rule_set.scanner.scan(sms, facts.policy, first_contact) if sms is not None else None
        console().print(verdict_text(intent, verdict, moment, scanned, given=number))
    raise typer.Exit(1 if verdict.blocked else 0)


def _check_sender(sender: str, kind: str) -> None:
    from app.numbering import NumberError, parse_sender

    try:
        parse_sender(sender, kind)
    except NumberError as error:
        fail(f"--from {sender}: {error.reason}", USAGE)
