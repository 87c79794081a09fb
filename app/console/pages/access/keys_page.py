"""Keys: who may do what for the account, when each was last used, and how one is ended."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.accounts import store as accounts
from app.accounts.authenticate import SCOPES
from app.accounts.http import KeyBody
from app.accounts.manage_keys import create_key, revoke_key
from app.console.forms import read_form, told
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.outcomes import NotFound, Unusable

router = APIRouter(prefix="/console/keys", include_in_schema=False, route_class=ConsoleRoute)
Admin = Annotated[Visit, Depends(SignedIn("admin"))]
ROWS = 500
WHAT_FOR = {
    "intents:write": "ask for calls and texts",
    "intents:read": "read decisions",
    "suppressions:read": "read the lists",
    "suppressions:write": "change the account’s list",
    "consents:read": "read consents",
    "consents:write": "record and withdraw consents",
    "inbound:write": "tell what people answered; for a carrier’s webhook",
    "pools:read": "see pools and limits",
    "pools:write": "change pools and limits",
    "intents:emergency": "send emergencies, which no list and no hour binds",
    "admin": "all of the account’s but emergencies; keys and policy",
    "operator": "run the installation: accounts, registries, emergencies",
}


@router.get("")
async def keys(visit: Admin) -> Response:
    """The account's keys, revoked ones included."""
    return await _list(visit)


@router.post("")
async def make(visit: Admin) -> Response:
    """Make a key, by the rules of POST /v1/api-keys. It is shown on this one page and never again."""
    scopes = [str(each) for each in visit.form.getlist("scopes")]
    body, faults = read_form(KeyBody, {"name": visit.text("name"), "scopes": scopes})
    if not scopes:
        faults["scopes"] = "Choose what the key may do; the least that will do."
    if body is None or faults:
        return await _list(visit, faults=faults)
    try:
        made = await create_key(
            visit.services.database,
            visit.caller,
            name=body.name,
            scopes=body.scopes,
            expires_at=body.expires_at,
            now=visit.services.now(),
        )
    except Unusable as error:
        return await _list(visit, faults=told(error.faults))
    return await _list(visit, made=made)


@router.post("/revoke")
async def revoke(visit: Admin) -> Response:
    """End a key in every process at once, and every session that was signed in with it."""
    try:
        key_id = UUID(visit.text("key"))
    except ValueError:
        raise NotFound("No such key.") from None
    await revoke_key(visit.services.database, visit.caller, key_id, visit.services.now())
    return visit.go("/console/keys", "The key is revoked. Whoever was signed in with it is signed out.")


async def _list(
    visit: Visit, *, faults: dict[str, str] | None = None, made: dict[str, object] | None = None
) -> Response:
    found = await visit.services.database.run(
        lambda connection: accounts.keys(connection, visit.caller.account_id, None, ROWS),
        may_run_twice=True,
    )
    offered = [scope for scope in SCOPES if visit.may(scope)]
    return await visit.page(
        "keys_page.html",
        "Keys",
        422 if faults else 200,
        keys=found,
        offered=offered,
        what_for=WHAT_FOR,
        values=visit.form if faults else {},
        chosen=[str(each) for each in visit.form.getlist("scopes")] if faults else [],
        faults=faults or {},
        made=made,
        own=str(visit.caller.key_id),
    )
