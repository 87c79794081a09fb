"""GET /v1/law and /law: the rules that hold on a day, and what changes next."""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, Response

from app.accounts.authenticate import Caller
from app.accounts.caller import GuardedRoute, Requires, services_of
from app.instants import OutOfReach, read_instant
from app.intents.law.law_answers import KeptLists, LawDocument
from app.intents.services import Services
from app.law.conditions.kept_lists import KeptList
from app.law.law_documents import law_in_force
from app.numbering.zones import country_names
from app.platform.http import response_schemas as documents
from app.platform.http.error_pages import page
from app.platform.http.fields import Words
from app.platform.http.responses import json_response
from app.platform.outcomes import FieldFault, Unusable
from app.suppression.registries.store import Registry, list_registries

router = APIRouter(tags=["law"])
keyed = APIRouter(prefix="/v1/law", route_class=GuardedRoute)
EveryKey = Annotated[Caller, Depends(Requires())]
Region = Annotated[Words | None, Query(max_length=16, description="A country or a region of one, as US-PA")]
Channel = Annotated[Literal["call", "sms"] | None, Query(description="Only what binds this channel")]
At = Annotated[
    Words | None, Query(max_length=40, description="A date, everywhere local, or an instant; now when absent")
]
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@keyed.get("", summary="The rules that hold", responses={200: {"model": LawDocument}, **documents.problems()})
async def get_law(
    request: Request, caller: EveryKey, region: Region = None, channel: Channel = None, at: At = None
) -> Response:
    """With citation, quote, sources and confidence; `changes` is what begins and ends by itself afterwards.

    A date is that local date in every place. At an instant a rule holds while any clock of its place says so.
    """
    services = cast(Services, services_of(request))
    if region is not None:
        _known(services, region)
    found = law_in_force(services.rule_set.window_rules, _at(at, services.now()), region, channel)
    return json_response(found)


@keyed.get(
    "/lists",
    summary="The do-not-call lists that are kept",
    responses={200: {"model": KeptLists}, **documents.problems()},
)
async def get_lists(request: Request, caller: EveryKey) -> Response:
    """The national list and those of the states that keep their own: `loaded` here, `missing` or `too_old`."""
    services = cast(Services, services_of(request))
    kept = services.rule_set.kept_lists
    registries = await services.database.run(
        lambda connection: list_registries(connection, services.now()), may_run_twice=True
    )
    return json_response({"items": [_list(item, registries) for item in kept]})


@router.get(
    "/law",
    summary="The rules that hold, as a page",
    response_model=None,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page"}},
)
async def law_page(request: Request) -> HTMLResponse:
    """For people; no key is needed. It runs no script and loads nothing."""
    services = cast(Services, services_of(request))
    found: dict[str, Any] = law_in_force(services.rule_set.window_rules, services.now())
    return page("The law of the calling window", _head(found) + _changes(found) + _rules(found))


router.include_router(keyed)


def _known(services: Services, region: str) -> None:
    if region not in country_names() and services.rule_set.number_locator.regions.find(region) is None:
        raise Unusable(
            [FieldFault("region", "must be a country or a region that is known here, as US-PA", "")]
        )


def _at(written: str | None, now: datetime) -> date | datetime:
    if written is None:
        return now
    try:
        return date.fromisoformat(written) if _DATE.fullmatch(written) else read_instant(written)
    except OutOfReach as error:
        raise Unusable([FieldFault("at", str(error), "")]) from None
    except ValueError:
        reason = "must be a date, or an RFC 3339 instant (e.g. 2026-11-21T18:00:00Z)"
        raise Unusable([FieldFault("at", reason, "", malformed=True)]) from None


def _list(kept: KeptList, registries: list[Registry]) -> dict[str, Any]:
    holding = [
        item
        for item in registries
        if item.kind == kept.kind and (item.region or kept.region) == kept.region and item.in_force
    ]
    fresh = [
        item
        for item in holding
        if not item.stale and item.age_days is not None and item.age_days <= kept.max_age_days
    ]
    return {
        **{
            name: getattr(kept, name)
            for name in (
                "region",
                "name",
                "keeper",
                "url",
                "renew",
                "max_age_days",
                "citation",
                "confidence",
                "note",
            )
        },
        "applies_to": list(kept.applies_to),
        "recipients": list(kept.recipients),
        "standing": "loaded" if fresh else "too_old" if holding else "missing",
        "registries": [
            {
                "name": item.name,
                "version_date": item.version_date.isoformat() if item.version_date else None,
                "age_days": item.age_days,
            }
            for item in holding
        ],
    }


def _head(found: dict[str, Any]) -> str:
    return (
        f'<p class="dim">Pack <code>{_text(found["pack"])}</code>, version {_text(found["version"])}, '
        f"digest <code>{found['digest'][:16]}</code>, as of {found['at']}. This is not legal advice.</p>"
        "<p>As data: <code>GET /v1/law?region=&amp;channel=&amp;at=</code>.</p>"
    )


def _changes(found: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{item['date']}</td><td><code>{_text(item['rule'])}</code></td><td>{_text(item['name'])}</td>"
        f"<td>{item['what']}</td><td>{_text(item['citation'])}</td></tr>"
        for item in found["changes"]
    )
    if not rows:
        return "<h2>What changes next</h2><p>Nothing that is on file.</p>"
    return (
        "<h2>What changes next</h2><table><thead><tr><th>From</th><th>Rule</th><th>Place</th><th></th>"
        f"<th>Citation</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _rules(found: dict[str, Any]) -> str:
    rows = "".join(_row(rule) for rule in found["rules"])
    return (
        "<h2>What holds</h2><table><thead><tr><th>Rule</th><th>Place</th><th>Monday to Friday</th><th>Saturday</th>"
        "<th>Sunday</th><th>Holidays</th><th>Texts</th><th>Citation</th><th>Confidence</th><th>Checked</th>"
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(rule: dict[str, Any]) -> str:
    hours = rule["hours"]
    cells = (
        f"<code>{_text(rule['id'])}</code>",
        _text(rule["name"]),
        *(_spans(hours[day]) for day in ("weekday", "saturday", "sunday")),
        {"none": "as other days", "ban": "closed", "sunday": "as Sundays"}[hours["holidays"]],
        _text(rule["binds_texts"]),
        _text(rule["citation"]) + (f"<br><q>{_text(rule['quote'])}</q>" if rule["quote"] else ""),
        rule["confidence"],
        rule["checked"] or "",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _spans(spans: list[dict[str, str]]) -> str:
    return ", ".join(f"{span['opens']}–{span['closes']}" for span in spans) or "closed"


def _text(value: object) -> str:
    return html.escape(str(value))
