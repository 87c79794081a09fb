"""A verdict and a scan for the terminal, as a person would say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from app.calling_window.verdict import (
    ClosedRule,
    ClosedWindow,
    OpenWindow,
    OutsideWindow,
    PlaceUnknown,
    WindowResult,
)
from app.consents.verdict import ConsentMissing, ConsentsResult
from app.content import ScanResult
from app.content.scan_report import scan_text
from app.frequency.verdict import CapReached, FrequencyResult
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.guardrail.refusals import Check, Violation
from app.instants import rfc3339, told
from app.numbering.zones import zone
from app.outcomes.verdict import AbandonedTooMany, AbandonmentResult
from app.suppression.verdict import OnAccountList, OnRegistry, SuppressionResult

_MARKS = {"pass": ("✓", "green"), "block": ("✗", "red"), "skip": ("–", "bright_black")}
WHAT_HELPS = "say where the person is: --zip, or --region with --timezone"
_NAMES = {
    "suppression": "suppression",
    "consents": "consents",
    "calling_window": "calling window",
    "frequency": "frequency",
    "abandonment": "abandonment",
    "content": "content",
    "channel": "channel",
}


def verdict_text(
    intent: Intent, verdict: Verdict, at: datetime, scanned: ScanResult | None, *, given: str | None = None
) -> RenderableType:
    """The verdict, every guardrail's finding, and for each refusal the reason and the way back.

    ``given``: the number as it was asked about, which is told as well where it was spelled otherwise.
    """
    word, colour = ("blocked", "bold red") if verdict.blocked else ("approved", "bold green")
    what = "call" if intent.type == "call" else "text"
    head = Text.assemble(
        (intent.to, "bold"),
        f" (given as {given})" if given is not None and given != intent.to else "",
        "  ",
        (word, colour),
        f"  {what}, {intent.purpose}, {told(at, _clocks(verdict.checks))}",
    )
    parts: list[RenderableType] = [head, Text()]
    for check in verdict.checks:
        if check.guardrail == "channel":
            continue  # a channel is sought only when a call is placed
        mark, shade = _MARKS[check.outcome]
        line = Text.assemble((mark, shade), " ", (f"{_NAMES[check.guardrail]:15}", "bold"), _told(check))
        parts.append(line)
        for violation in verdict.violations:
            if violation.refusal.guardrail == check.guardrail:
                parts.append(Padding(_refusal(violation, check), (0, 0, 0, 4), expand=False))
        if check.guardrail == "content" and scanned is not None and scanned.findings:
            parts.append(Padding(scan_text(intent.body or "", scanned), (0, 0, 0, 4), expand=False))
    return Group(*parts)


def _told(check: Check) -> Text:
    match check:
        case OpenWindow() | ClosedWindow():
            return _window(check)
        case FrequencyResult(caps=caps) if caps:
            used = ", ".join(f"{cap.used} of {cap.max} in {cap.period} ({cap.id})" for cap in caps)
            return Text(used, "bright_black")
        case ConsentsResult():
            return _consents(check)
        case AbandonmentResult():
            rate = "no rate yet" if check.rate is None else f"{check.rate:.2%}"
            said = (
                f"{rate}: {check.abandoned} of {check.answered_by_person} answered in {check.period},"
                f" at most {check.max:.2%}"
            )
            nearness = {"near": ", near the limit", "exceeded": ", over the limit"}.get(
                check.warning or "", ""
            )
            return Text(said + nearness, "yellow" if nearness else "bright_black")
        case SuppressionResult(consents=lifted) if lifted:
            said = ", ".join(f"{item.registry} lifted by consent {item.consent}" for item in lifted)
            return Text(said, "bright_black")
    return Text()


def _window(check: OpenWindow | ClosedWindow) -> Text:
    clocks = ", ".join(
        f"{local:%a %H:%M} {name}" for local, name in zip(check.local_times, check.timezones, strict=True)
    )
    said = f"{clocks}  ({', '.join(check.regions)})"
    if isinstance(check, OpenWindow) and check.closes_at is not None:
        said += f", closes {told(check.closes_at, _clocks([check]))}"
    for consent in check.consent or ():
        said += f", by consent {consent.id} ({consent.kind})"
    return Text(said, "bright_black")


def _consents(check: ConsentsResult) -> Text:
    """Which consent met what, and what the voice must say."""
    said = [f"{item.kind} consent {item.id} meets {', '.join(item.meets)}" for item in check.consents or ()]
    for item in check.disclosures or ():
        when = "if recorded" if item.only_if else item.when
        said.append(f"say ({when}): {item.say} ({item.citation})")
    return Text("\n  ".join(said), "bright_black")


def _refusal(violation: Violation, check: Check) -> RenderableType:
    lines = [Text.assemble((violation.refusal.code, "red"), " ", violation.detail)]
    again: datetime | None = None
    match violation:
        case ConsentMissing():
            lines += _who_wants(violation)
        case OutsideWindow():
            lines += _closed_rules(violation.rules)
            again = violation.next_allowed_at
        case PlaceUnknown():
            lines.append(Text(f"  {WHAT_HELPS}", "yellow"))
        case OnAccountList():
            reason = f", “{violation.reason}”" if violation.reason else ""
            since = rfc3339(violation.created_at)
            lines.append(
                Text(f"  on the list for {violation.channel} since {since}: {violation.source}{reason}")
            )
        case OnRegistry():
            lines.append(Text(f"  {violation.kind}, version of {violation.version_date}"))
        case CapReached() | AbandonedTooMany():
            again = violation.next_allowed_at
    if again is not None:
        lines.append(Text(f"  may go out again: {told(again, _clocks([check]))}", "cyan"))
    return Group(*lines)


def _closed_rules(rules: Sequence[ClosedRule]) -> list[Text]:
    clocks_of: dict[tuple[str, str, str], list[str]] = {}
    for rule in rules:
        clocks = clocks_of.setdefault((rule.id, rule.reason, rule.citation), [])
        if rule.local_time is not None:
            clocks.append(f"{rule.local_time:%a %H:%M} {rule.timezone}")
    return [
        Text(f"  {rule_id}: {reason}{_and_it_is(clocks)} ({citation})")
        for (rule_id, reason, citation), clocks in clocks_of.items()
    ]


def _and_it_is(clocks: Sequence[str]) -> str:
    return f", and it is {', '.join(clocks)}" if clocks else ""


def _clocks(checks: Sequence[Check]) -> list[tuple[str, tzinfo]]:
    """The clocks where the person may be, as the calling windows found them."""
    found = (check.timezones for check in checks if isinstance(check, WindowResult))
    return [(name, zone(name)) for name in next(found, ())]


def _who_wants(violation: ConsentMissing) -> list[Text]:
    lines = []
    for rule in violation.rules:
        kinds = " or ".join(
            item.kind + (f" of the last {item.within_months} months" if item.within_months else "")
            for item in rule.kinds
        )
        lines.append(Text(f"  {rule.id}: {kinds or 'no consent lifts it'} ({rule.citation})"))
    for item in violation.considered:
        why = item.reason.replace("_", " ")
        given = rfc3339(item.given_at)
        lines.append(Text(f"  {item.kind} consent {item.id} of {given} does not count: {why}"))
    return lines
