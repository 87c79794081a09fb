"""Texts: what the carriers' rules find in a text, or in a file of templates, before it is sent."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from markupsafe import Markup, escape
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.accounts.read_policy import current_policy
from app.console.forms import read_form
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.content import ContentFinding, mask
from app.content.http import ScanBody
from app.content.scan_file import scan_texts, texts_in

router = APIRouter(prefix="/console/texts", include_in_schema=False, route_class=ConsoleRoute)
MayScan = Annotated[Visit, Depends(SignedIn("intents:write"))]


# Of one file; `callgate scan --file` takes more.
MOST_TEXTS = 2_000


@router.get("")
async def texts(visit: MayScan) -> Response:
    """An empty field, and what it is for."""
    return await _page(visit)


@router.post("")
async def scan(visit: MayScan, part: str = "") -> Response:
    """What is found in the text, by the account's policy. Nothing of it is kept."""
    given = str(visit.form.get("body") or "").replace("\r\n", "\n")
    body, faults = read_form(ScanBody, {"body": given, "first_contact": visit.text("first_contact") == "yes"})
    if body is None:
        if part:
            return visit.part("texts_inner.html", scanned=None, marked="")
        return await _page(visit, faults=faults)
    policy = (await current_policy(visit.services, visit.caller)).policy
    scanned = visit.services.rule_set.scanner.scan(body.body, policy, body.first_contact)
    marked = underlined(mask(body.body), scanned.findings)
    if part:
        return visit.part("texts_inner.html", scanned=scanned, marked=marked)
    return await _page(visit, scanned=scanned, marked=marked)


@router.post("/file")
async def scan_file(visit: MayScan) -> Response:
    """What is found in a file of templates, a row a rule, as `callgate scan --file` shows it. Nothing is kept."""
    given, first_contact = visit.form.get("file"), visit.text("first_contact") == "yes"
    if not isinstance(given, UploadFile) or not given.filename:
        return await _page(visit, faults={"file": "Choose a file: a text a line, or CSV or JSON."})
    try:
        bodies = texts_in(given.filename, await given.read())
        if len(bodies) > MOST_TEXTS:
            raise ValueError(
                f"holds {len(bodies):,} texts; here it may be {MOST_TEXTS:,}, and any number with callgate scan --file"
            )
    except ValueError as error:
        return await _page(visit, faults={"file": f"The file {given.filename[:80]} {error}."})
    policy, scanner = (
        (await current_policy(visit.services, visit.caller)).policy,
        visit.services.rule_set.scanner,
    )
    found = await asyncio.to_thread(
        lambda: scan_texts(bodies, lambda body: scanner.scan(body, policy, first_contact))
    )
    return await visit.page(
        "templates_page.html", "A file of templates", name=given.filename[:80], found=found
    )


async def _page(
    visit: Visit, *, faults: dict[str, str] | None = None, scanned: Any = None, marked: str = ""
) -> Response:
    return await visit.page(
        "texts_page.html",
        "Try a text",
        422 if faults else 200,
        values=visit.form,
        faults=faults or {},
        scanned=scanned,
        marked=marked,
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
