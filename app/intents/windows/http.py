"""Looking before dialling: when a number may be reached, and which rule takes what away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, presented_hash, services_of
from app.calling_window import WindowForecast, outlook_document
from app.calling_window.picture import timeline_svg
from app.guardrail.facts import Intent
from app.intents.bodies import JudgedAt, RecipientBody
from app.intents.services import RuleSet, Services
from app.intents.windows.forecast_windows import forecast_windows
from app.numbering.number_fields import PathNumber
from app.platform.http import response_schemas as documents
from app.platform.http.problems import dump
from app.platform.http.responses import prefers

router = APIRouter(prefix="/v1/calling-windows", tags=["looking ahead"], route_class=GuardedRoute)
MayRead = Annotated[Caller, Depends(Requires("intents:read"))]
SVG = "image/svg+xml"


class WindowQuery(RecipientBody):
    """What would be sent, to whom, and over how many days. An unknown parameter is an error, as in a body."""

    model_config = ConfigDict(strict=False)  # a query holds texts only

    type: Literal["call", "sms"] = "call"
    purpose: Literal["marketing", "informational", "emergency"] = "marketing"
    voice_type: Literal["live", "prerecorded"] = "live"
    days: Annotated[int, Field(ge=1, le=14)] = 7
    at: JudgedAt | None = Field(default=None, description="Where to begin; now when absent")

    def hints(self) -> Any:
        """The hints alone."""
        return RecipientBody(
            postal_code=self.postal_code,
            region=self.region,
            timezone=self.timezone,
            latitude=self.latitude,
            longitude=self.longitude,
        ).hints()


class LocalSpan(documents.Document):
    """A stretch of time on one clock."""

    timezone: str
    opens_at: str
    closes_at: str


class OpenSpan(documents.Document):
    """A stretch of time, half open."""

    opens_at: str
    closes_at: str
    local: list[LocalSpan]


class Stretch(documents.Document):
    """A stretch of time, half open."""

    since: str = Field(alias="from")
    until: str


class OutlookZone(documents.Document):
    """A clock where the person may be, and when it is open there."""

    timezone: str
    regions: list[str]
    because: list[str]
    utc_offset_seconds: int
    open: list[Stretch]


class RuleHoliday(documents.Document):
    """A holiday in the period."""

    date: str
    name: str


class OutlookRule(documents.Document):
    """A rule, and what it closes."""

    id: str
    name: str
    citation: str
    source: list[str]
    confidence: str
    note: str
    clocks: list[str]
    removed: list[Stretch]
    removed_alone_seconds: int
    holidays: list[RuleHoliday]
    lifted_by_consent: str | None = Field(description="The id of the consent that lifts it at the beginning")


class OutlookDocument(documents.Document):
    """When the number may be reached."""

    number: str
    type: Literal["call", "sms"]
    purpose: str
    since: str = Field(alias="from")
    until: str
    open_now: bool
    next_opens_at: str | None
    open: list[OpenSpan]
    timezones: list[OutlookZone]
    rules: list[OutlookRule]
    unresolved: str | None
    hint: str | None
    trusted_recipient: bool
    versions: dict[str, str]


@router.get(
    "/{number}",
    summary="When a number may be called or texted",
    responses={
        200: {
            "model": OutlookDocument,
            "content": {SVG: {"schema": {"type": "string"}}},
            "description": "By Accept: JSON, or a picture",
        },
        **documents.problems(),
    },
)
async def get_windows(
    request: Request, caller: MayRead, number: PathNumber, query: Annotated[WindowQuery, Query()]
) -> Response:
    """Open stretches in UTC and on every local clock, and for each rule what it closes, with its citation.

    An instant lies in one of `open` exactly when `POST /v1/intents/preview` finds the window open then.
    """
    services = cast(Services, services_of(request))
    intent = Intent(
        type=query.type,
        to=number,
        sender="",
        purpose=query.purpose,
        voice_type=query.voice_type if query.type == "call" else "live",
        recipient=query.hints(),
    )
    start = query.at or services.now()
    headers = {"Vary": "Accept"}
    render: Callable[[WindowForecast], bytes]
    if prefers(request, SVG, "application/json"):
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        kind, render = SVG, _picture
    else:
        kind, render = "application/json", lambda forecast: dump(_document(forecast, services.rule_set))
    body = await forecast_windows(services, presented_hash(request), intent, start, query.days, render)
    return Response(body, 200, headers, kind)


def _picture(forecast: WindowForecast) -> bytes:
    return timeline_svg(forecast).encode()


def _document(forecast: WindowForecast, rule_set: RuleSet) -> dict[str, Any]:
    document: dict[str, Any] = dict(outlook_document(forecast))
    open_now = bool(forecast.open) and forecast.open[0][0] <= forecast.start < forecast.open[0][1]
    following = document["open"][1:] if open_now else document["open"]
    document["open_now"] = open_now
    document["next_opens_at"] = following[0]["opens_at"] if following else None
    document["versions"] = {
        name: rule_set.versions[name]
        for name in ("calling_windows", "tzdata", "phonenumbers")
        if name in rule_set.versions
    }
    return document
