"""Accounts of the installation, for those who run it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.accounts import store as accounts
from app.accounts.http import AccountBody
from app.accounts.manage_keys import create_account
from app.console.forms import read_form
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit

router = APIRouter(prefix="/console/accounts", include_in_schema=False, route_class=ConsoleRoute)
Operator = Annotated[Visit, Depends(SignedIn("operator"))]
ROWS = 500


@router.get("")
async def list_accounts(visit: Operator) -> Response:
    """Every account, oldest first."""
    return await _list(visit)


@router.post("")
async def make(visit: Operator) -> Response:
    """Make an account, by the rules of POST /v1/accounts. Its first key is shown on this one page."""
    body, faults = read_form(AccountBody, {"name": visit.text("name")})
    if body is None:
        return await _list(visit, faults=faults)
    made = await create_account(visit.services.database, body.name, visit.services.now())
    return await _list(visit, made=made)


async def _list(
    visit: Visit, *, faults: dict[str, str] | None = None, made: dict[str, object] | None = None
) -> Response:
    found = await visit.services.database.run(
        lambda connection: accounts.accounts(connection, None, ROWS), may_run_twice=True
    )
    return await visit.page(
        "accounts_page.html",
        "Accounts",
        422 if faults else 200,
        accounts=found,
        values=visit.form if faults else {},
        faults=faults or {},
        made=made,
    )
