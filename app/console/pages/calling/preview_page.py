"""Would it pass? A call or a text is judged as if it had been asked for now; nothing is sent, counted or recorded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.console.forms import read_form
from app.console.trouble import ConsoleRoute
from app.console.typed import read_number
from app.console.visit import SignedIn, Visit
from app.intents.bodies import CallBody, SmsBody
from app.intents.decision import IntentRequest
from app.intents.describe import record_violation
from app.intents.preview import preview_intent
from app.platform.http.problems import writer_of

router = APIRouter(prefix="/console/preview", include_in_schema=False, route_class=ConsoleRoute)
MayAsk = Annotated[Visit, Depends(SignedIn("intents:write"))]


@router.get("")
async def preview(
    visit: MayAsk,
    to: Annotated[str, Query(max_length=60)] = "",
    sender: Annotated[str, Query(alias="from", max_length=60)] = "",
    type: Literal["call", "sms"] = "call",
    purpose: Literal["marketing", "informational"] = "marketing",
    voice: Literal["live", "prerecorded", "artificial"] = "live",
    body: Annotated[str, Query(max_length=1600)] = "",
) -> Response:
    """The form, and once it says to whom and from where, the verdict that POST /v1/intents/preview answers."""
    values = {"to": to, "from": sender, "type": type, "purpose": purpose, "voice": voice, "body": body}
    if not (to.strip() and sender.strip()):
        return await visit.page("preview_page.html", "Would it pass?", values=values, faults={}, told=None)
    wanted, faults = _read(values)
    if wanted is None or faults:
        return await visit.page(
            "preview_page.html", "Would it pass?", 422, values=values, faults=faults, told=None
        )
    verdict, at, _ = await preview_intent(
        visit.services, IntentRequest(visit.session.key_hash), wanted.intent(), None
    )
    told = writer_of(visit.request).violations([record_violation(each) for each in verdict.violations])
    return await visit.page("preview_page.html", "Would it pass?", values=values, faults={}, told=told, at=at)


def _read(values: dict[str, str]) -> tuple[CallBody | SmsBody | None, dict[str, str]]:
    faults: dict[str, str] = {}
    given: dict[str, Any] = {"type": values["type"], "purpose": values["purpose"]}
    for name in ("to", "from"):
        typed = values[name].strip()
        short_code = name == "from" and values["type"] == "sms" and typed.isdecimal() and len(typed) <= 8
        try:
            given[name] = typed if short_code else read_number(typed)
        except ValueError as error:
            faults[name] = str(error)
    if faults:
        return None, faults
    if values["type"] == "call":
        return read_form(CallBody, {**given, "voice_type": values["voice"]})
    return read_form(SmsBody, {**given, "body": values["body"].replace("\r\n", "\n")})
