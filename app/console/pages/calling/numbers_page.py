"""A number: on which lists it stands, what the person agreed to, what was decided, and when it may be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.consents.change_consents import record_consent, withdraw_consent
from app.consents.store import NewConsent
from app.console.display import as_written, plural
from app.console.pages.calling.number_timeline import standing, timeline
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit, looks_of
from app.evidence.http import evidence_file
from app.guardrail.facts import Intent
from app.intents.decide import gather_facts
from app.intents.facts_store import Ask
from app.intents.records import store as decision_records
from app.intents.windows.forecast_windows import outlook_beside
from app.law.timetable import second_of
from app.number_sheet.read_sheet import DAYS_AHEAD, NumberSheet, read_sheet
from app.numbering import sender_line, spellings
from app.numbering.number import looks_like_e164
from app.numbering.number_filter import LONGEST_PERIOD
from app.numbering.zones import country_names, zone
from app.platform.outcomes import Conflict, FieldFault, NotFound, Unusable
from app.suppression.change_entries import OPT_OUT, put_suppression, remove_suppression
from app.suppression.store import Entry
from app.suppression.verdict import binds_number

router = APIRouter(prefix="/console/numbers", include_in_schema=False, route_class=ConsoleRoute)
MayRead = Annotated[Visit, Depends(SignedIn("intents:read"))]
MayList = Annotated[Visit, Depends(SignedIn("suppressions:write"))]
MayConsent = Annotated[Visit, Depends(SignedIn("consents:write"))]
_LAST_YEAR = 9998
CHANNELS = {"all": "calls and texts", "call": "calls", "sms": "texts"}
KINDS = {
    "express_written": "in writing",
    "express": "by word or deed",
    "purchase": "bought something",
    "inquiry": "asked about something",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What would be sent, for the window."""

    type: Literal["call", "sms"] = "call"
    purpose: Literal["marketing", "informational"] = "marketing"
    voice: Literal["live", "prerecorded", "artificial"] = "live"


@router.get("")
async def numbers(visit: MayRead, ending: Annotated[str, Query(pattern=r"^(\d{2,14})?$")] = "") -> Response:
    """A box for any spelling; or the numbers with those last digits, of the last month's decisions."""
    if not ending:
        return await visit.page("numbers_page.html", "Numbers", found=None, ending="")
    page = await decision_records.page(
        visit.services.database,
        visit.caller.account_id,
        filters={"to_ending": ending, "since": visit.now - LONGEST_PERIOD},
        behind=None,
        limit=500,
    )
    found: dict[str, list[Mapping[str, Any]]] = {}
    for decision in page.rows:
        found.setdefault(decision["to"], []).append(decision)
    if len(found) == 1 and page.next_id is None:
        return visit.go(_sheet(next(iter(found))))
    title = f"{plural(len(found), 'number')} ending in {ending}"
    return await visit.page(
        "numbers_page.html", title, found=found, ending=ending, whole=page.next_id is None
    )


@router.get("/{number}")
async def sheet(
    visit: MayRead,
    number: str,
    type: Literal["call", "sms"] = "call",
    purpose: Literal["marketing", "informational"] = "marketing",
    voice: Literal["live", "prerecorded", "artificial"] = "live",
) -> Response:
    """Everything about one number on one sheet."""
    line = _line(number)
    if line != number:
        return visit.go(_sheet(line))
    return await _show(visit, line, Look(type, purpose, voice))


@router.post("/{number}/suppress")
async def suppress(visit: MayList, number: str) -> Response:
    """On to the account's list, with a reason."""
    number, faults = _line(number), {}
    reason, until = visit.text("suppress_reason"), None
    if not reason:
        faults["suppress_reason"] = "Say why: whoever asks about this number next year will want to know."
    try:
        until = _last_day(visit, "suppress_until")
    except ValueError as error:
        faults["suppress_until"] = str(error)
    if not faults:
        channel = visit.text("suppress_channel") if visit.text("suppress_channel") in CHANNELS else "all"
        try:
            await put_suppression(
                visit.services, visit.caller, Entry(number, channel, reason[:500], "manual", until)
            )
        except Unusable as refused:
            faults = _faults(refused, {"expires_at": "suppress_until"})
        else:
            said = (
                f"{as_written(number)} is on the list now: no {CHANNELS[channel].replace(' and ', ', no ')}."
            )
            return visit.go(_sheet(number), said)
    return await _show(visit, number, Look(), faults)


@router.post("/{number}/remove")
async def remove(visit: MayList, number: str) -> Response:
    """Off the account's list, with a reason; a wish of the person's stays unless an admin lifts it."""
    number, channel = _line(number), visit.text("remove_channel")
    reason = visit.text("remove_reason")[:500]
    if not reason:
        told = "Say why it is taken off: the history keeps it."
        return await _show(visit, number, Look(), {"remove_reason": told})
    try:
        stands = await remove_suppression(
            visit.services, visit.caller, number, channel if channel in CHANNELS else None, reason
        )
    except (NotFound, Conflict) as refused:
        return await _show(visit, number, Look(), {"remove_reason": refused.detail})
    said = f"{as_written(number)} was taken off the list."
    if stands is not None:
        said += " What the person asked for themselves still stands."
    return visit.go(_sheet(number), said)


@router.post("/{number}/consent")
async def consent(visit: MayConsent, number: str) -> Response:
    """What the person agreed to, and how it can be shown, in place of what was on record."""
    number, faults = _line(number), {}
    kind, evidence, given_at = visit.text("consent_kind"), visit.text("consent_evidence"), None
    channels = [channel for channel in ("call", "sms") if channel in visit.form.getlist("consent_channels")]
    if kind not in KINDS:
        faults["consent_kind"] = "Choose how the person agreed."
    if not evidence:
        faults["consent_evidence"] = "Say how it can be shown: the form, the recording, the order."
    if not channels:
        faults["consent_channels"] = "Choose calls, texts or both."
    try:
        given_at = _first_moment(visit, "consent_given")
    except ValueError as error:
        faults["consent_given"] = str(error)
    if not faults and given_at is not None:
        new = NewConsent(number, kind, channels, min(given_at, visit.now), None, evidence[:2000])
        try:
            await record_consent(visit.services, visit.caller, new)
        except Unusable as refused:
            faults = _faults(refused, {"given_at": "consent_given"})
        except Conflict as refused:
            faults = {"consent_given": refused.detail}
        else:
            return visit.go(_sheet(number), "The consent is on record.")
    return await _show(visit, number, Look(), faults)


@router.post("/{number}/consent/end")
async def end_consent(visit: MayConsent, number: str) -> Response:
    """As withdrawn; the history keeps it."""
    number = _line(number)
    await withdraw_consent(visit.services, visit.caller, number)
    return visit.go(_sheet(number), "The consent has ended, as of now.")


@router.get("/{number}/evidence")
async def evidence(visit: MayRead, number: str) -> Response:
    """Everything about the number as a file, with the proof of each record."""
    return await evidence_file(visit.request, visit.caller, _line(number))


async def _show(visit: Visit, number: str, look: Look, faults: Mapping[str, str] = {}) -> Response:
    visit.caller.needs("intents:read")  # who may only write sees no sheet, whatever was wrong with the form
    services = visit.services
    others = tuple(each for each in spellings(number) if each != number)
    gathered = await gather_facts(services, Ask(visit.session.key_hash, number, others=others))
    found = await read_sheet(
        services.database,
        services.rule_set,
        visit.caller.account_id,
        number,
        gathered.facts,
        now=visit.now,
        retention_days=services.retention_days,
    )
    hits = gathered.facts.registry_hits
    may_see_lists = visit.may("suppressions:read")
    binding = may_see_lists and (bool(found.entries) or any(map(binds_number, hits)))
    return await visit.page(
        "number_page.html",
        as_written(number),
        422 if faults else 200,
        number=number,
        look=look,
        window=await _window(visit, found, look),
        suppressed=binding,
        entries=found.entries if may_see_lists else (),
        hits=hits if may_see_lists else (),
        asked_registries=gathered.facts.registries if may_see_lists else (),
        history=found.history if may_see_lists else (),
        replies=found.replies if may_see_lists else (),
        agreed=found.consents if visit.may("consents:read") else (),
        decisions=found.decisions,
        outcomes={str(intent_id): outcome for intent_id, outcome in found.outcomes.items()},
        opted_out=any(entry["source"] == OPT_OUT for entry in found.entries),
        values=visit.form,
        faults=faults,
        channels=CHANNELS,
        kinds=KINDS,
    )


async def _window(visit: Visit, found: NumberSheet, look: Look) -> dict[str, Any]:
    """When it may be reached, or why that cannot be told."""
    if found.undiallable is not None:
        return {
            "told": f"No window can be shown: the number {found.undiallable}.",
            "picture": None,
            "about": None,
        }
    rule_set, voice = visit.services.rule_set, look.voice if look.type == "call" else "live"
    forecast = found.outlook[look.type]
    if (look.purpose, voice) != ("marketing", "live"):
        intent = Intent(type=look.type, to=found.number, sender="", purpose=look.purpose, voice_type=voice)
        forecast = await outlook_beside(rule_set, intent, found.facts, visit.now, DAYS_AHEAD)
    now, parsed = second_of(visit.now), rule_set.number_locator.numbers.parse(found.number)
    return {
        "told": standing(forecast, now),
        "picture": timeline(forecast, now),
        "about": {
            "country": country_names().get(parsed.country or "", parsed.country or "unknown"),
            "line_type": parsed.line_type.replace("_", " "),
            "places": list(dict.fromkeys(place.jurisdiction for place in forecast.places)),
        },
        "rules": forecast.rules,
    }


def _line(number: str) -> str:
    """The number in E.164, however it was spelt. What stands on a list though no plan knows it can be looked at."""
    text = number.strip()
    if looks_like_e164(text) and sender_line(text) == text:
        return text
    try:
        return read_number(text)
    except ValueError as error:
        raise Unusable([FieldFault("number", "cannot be read", "")], str(error)) from None


def _sheet(number: str) -> str:
    return f"/console/numbers/{quote(number, safe='+')}"


def _faults(refused: Unusable, names: Mapping[str, str]) -> dict[str, str]:
    return {
        names.get(f.field, f.field): f"That {f.reason.replace('must', 'has to')}." for f in refused.faults
    }


def _first_moment(visit: Visit, name: str) -> datetime:
    """The beginning of the viewer's day in a field. Raises ValueError with what would do."""
    try:
        day = date.fromisoformat(visit.text(name))
        return datetime.combine(day, time(), zone(looks_of(visit.request, visit.now)["zone"])).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Write the day as 2026-03-31.") from None


def _last_day(visit: Visit, name: str) -> datetime | None:
    """The end of the viewer's day in a field, None where it is empty."""
    if not visit.text(name):
        return None
    begins = _first_moment(visit, name)
    if begins.year > _LAST_YEAR:
        raise ValueError("Write the day as 2026-03-31, or leave it empty.")
    return begins + timedelta(days=1)
