"""Texts: what the carriers' rules find in a text, before it is sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from markupsafe import Markup, escape
from starlette.responses import Response

from app.accounts.read_policy import current_policy
from app.console.forms import read_form
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.content import ContentFinding, mask
from app.content.http import ScanBody

router = APIRouter(prefix="/console/texts", include_in_schema=False, route_class=ConsoleRoute)
MayScan = Annotated[Visit, Depends(SignedIn("intents:write"))]


@router.get("")
async def texts(visit: MayScan) -> Response:
    """An empty field, and what it is for."""
    return await visit.page("texts_page.html", "Try a text", values={}, faults={}, scanned=None, marked="")


@router.post("")
async def scan(visit: MayScan, part: str = "") -> Response:
    """What is found in the text, by the account's policy. Nothing of it is kept."""
    given = str(visit.form.get("body") or "").replace("\r\n", "\n")
    body, faults = read_form(ScanBody, {"body": given, "first_contact": visit.text("first_contact") == "yes"})
    if body is None:
        if part:
            return visit.part("texts_inner.html", scanned=None, marked="")
        return await visit.page(
            "texts_page.html", "Try a text", 422, values=visit.form, faults=faults, scanned=None, marked=""
        )
    policy = (await current_policy(visit.services, visit.caller)).policy
    scanned = visit.services.rule_set.scanner.scan(body.body, policy, body.first_contact)
    marked = underlined(mask(body.body), scanned.findings)
    if part:
        return visit.part("texts_inner.html", scanned=scanned, marked=marked)
    return await visit.page(
        "texts_page.html", "Try a text", values=visit.form, faults={}, scanned=scanned, marked=marked
    )


def underlined(body: str, findings: tuple[ContentFinding, ...]) -> Markup:
    """The text with what was found marked, each place once, under the gravest finding."""
    grave = {"block": 2, "warn": 1}
    weight = [0] * len(body)
    for found in findings:
        for place in range(found.start, min(found.end, len(body))):
            weight[place] = max(weight[place], grave.get(found.severity, 1))
    pieces: list[str] = []
    start = 0
    for place in range(1, len(body) + 1):
        if place == len(body) or weight[place] != weight[start]:
            piece = escape(body[start:place])
            kind = {2: "blocks", 1: "warns"}.get(weight[start])
            pieces.append(f'<mark class="{kind}">{piece}</mark>' if kind else str(piece))
            start = place
    return Markup("".join(pieces))  # noqa: S704 - every piece is escaped above
