"""Audit: who changed what and when, before and after."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.accounts.audit import store as audit
from app.console.pages.rules.policy_form import differences
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.http.paging import Cursor, read_id, write_cursor

router = APIRouter(prefix="/console/audit", include_in_schema=False, route_class=ConsoleRoute)
Admin = Annotated[Visit, Depends(SignedIn("admin"))]
ROWS = 100


@router.get("")
async def changes(
    visit: Admin,
    actor: Annotated[str, Query(max_length=64)] = "",
    subject: Annotated[str, Query(max_length=200)] = "",
    cursor: Cursor = None,
) -> Response:
    """The account's changes, newest first, as GET /v1/audit answers them."""
    asked = {name: value.strip() for name, value in (("actor", actor), ("subject", subject)) if value.strip()}
    found = await visit.services.database.run(
        lambda connection: audit.page(
            connection,
            visit.caller.account_id,
            and_everybodys=visit.may("operator"),
            actor=asked.get("actor"),
            subject=asked.get("subject"),
            since=None,
            behind=read_id(cursor),
            order="desc",
            limit=ROWS + 1,
        ),
        may_run_twice=True,
    )
    rows: list[tuple[audit.Change, list[tuple[str, str, str]]]] = [
        (each, list(differences(each.before or {}, each.after or {}))) for each in found[:ROWS]
    ]
    more = ""
    if len(found) > ROWS:
        query: dict[str, Any] = {**asked, "cursor": write_cursor(str(found[ROWS - 1].id))}
        more = "?" + urlencode(query)
    return await visit.page("audit_page.html", "Who changed what", rows=rows, more=more, values=asked)
