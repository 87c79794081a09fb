"""A verdict and a scan for the terminal, as a person would say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from app.content import ScanResult
from app.content.scan_report import scan_text
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.guardrail.refusals import Check, Violation
from app.instants import read_instant, told
from app.numbering.zones import zone

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
    intent: Intent, verdict: Verdict, at: datetime, scanned: ScanResult | None
) -> RenderableType:
    """The verdict, every guardrail's finding, and for each refusal the reason and the way back."""
    word, colour = ("blocked", "bold red") if verdict.blocked else ("approved", "bold green")
    what = "call" if intent.type == "call" else "text"
    head = Text.assemble(
        (intent.to, "bold"),
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
    members: Any = check.members
    if check.guardrail == "calling_window" and members.get("local_times"):
        clocks = ", ".join(
            f"{datetime.fromisoformat(local):%a %H:%M} {name}"
            for local, name in zip(members["local_times"], members["timezones"], strict=True)
        )
        said = f"{clocks}  ({', '.join(members['regions'])})"
        if members.get("closes_at"):
            said += f", closes {told(read_instant(members['closes_at']), _clocks([check]))}"
        for consent in members.get("consent", ()):
            said += f", by consent {consent['id']} ({consent['kind']})"
        return Text(said, "bright_black")
    if check.guardrail == "frequency" and members.get("caps"):
        used = ", ".join(
            f"{cap['used']} of {cap['max']} in {cap['period']} ({cap['id']})" for cap in members["caps"]
        )
        return Text(used, "bright_black")
    if check.guardrail == "consents":
        return _consents(members)
    if check.guardrail == "abandonment" and "max" in members:
        rate = "no rate yet" if members["rate"] is None else f"{members['rate']:.2%}"
        said = (
            f"{rate}: {members['abandoned']} of {members['answered_by_person']} answered in {members['period']},"
            f" at most {members['max']:.2%}"
        )
        nearness = {"near": ", near the limit", "exceeded": ", over the limit"}.get(
            members.get("warning"), ""
        )
        return Text(said + nearness, "yellow" if nearness else "bright_black")
    if check.guardrail == "suppression" and members.get("consents"):
        said = ", ".join(
            f"{item['registry']} lifted by consent {item['consent']}" for item in members["consents"]
        )
        return Text(said, "bright_black")
    return Text()


def _consents(members: Any) -> Text:
    """Which consent met what, and what the voice must say."""
    said = [
        f"{item['kind']} consent {item['id']} meets {', '.join(item['meets'])}"
        for item in members.get("consents", ())
    ]
    for item in members.get("disclosures", ()):
        when = "if recorded" if item["only_if"] else item["when"]
        said.append(f"say ({when}): {item['say']} ({item['citation']})")
    return Text("\n  ".join(said), "bright_black")


def _refusal(violation: Violation, check: Check) -> RenderableType:
    members: Any = violation.members
    lines = [Text.assemble((violation.refusal.code, "red"), " ", violation.detail)]
    if check.guardrail == "consents":
        return Group(*lines, *_who_wants(members))
    clocks_of: dict[tuple[str, str, str], list[str]] = {}
    for rule in members.get("rules", ()):
        clocks = clocks_of.setdefault((rule["id"], rule["reason"], rule["citation"]), [])
        if rule["timezone"]:
            clocks.append(f"{datetime.fromisoformat(rule['local_time']):%a %H:%M} {rule['timezone']}")
    for (rule_id, reason, citation), clocks in clocks_of.items():
        where = f", and it is {', '.join(clocks)}" if clocks else ""
        lines.append(Text(f"  {rule_id}: {reason}{where} ({citation})"))
    if members.get("list") == "account":
        reason = f", “{members['reason']}”" if members["reason"] else ""
        lines.append(
            Text(
                f"  on the list for {members['channel']} since {members['created_at']}: {members['source']}{reason}"
            )
        )
    if members.get("list") == "registry":
        lines.append(Text(f"  {members['kind']}, version of {members['version_date']}"))
    if members.get("hint"):
        lines.append(Text(f"  {WHAT_HELPS}", "yellow"))
    again = members.get("next_allowed_at")
    if again:
        moment = read_instant(str(again))
        lines.append(Text(f"  may go out again: {told(moment, _clocks([check]))}", "cyan"))
    return Group(*lines)


def _clocks(checks: Sequence[Check]) -> list[tuple[str, tzinfo]]:
    """The clocks where the person may be, as the calling windows found them."""
    names: Any = next((check.members["timezones"] for check in checks if check.members.get("timezones")), ())
    return [(name, zone(name)) for name in names]


def _who_wants(members: Any) -> list[Text]:
    lines = []
    for rule in members["rules"]:
        kinds = " or ".join(
            item["kind"] + (f" of the last {item['within_months']} months" if item["within_months"] else "")
            for item in rule["kinds"]
        )
        lines.append(Text(f"  {rule['id']}: {kinds or 'no consent lifts it'} ({rule['citation']})"))
    for item in members["considered"]:
        why = item["reason"].replace("_", " ")
        lines.append(
            Text(f"  {item['kind']} consent {item['id']} of {item['given_at']} does not count: {why}")
        )
    return lines
