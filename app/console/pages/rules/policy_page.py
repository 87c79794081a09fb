"""Policy: what the account rules for itself beyond the law, what a change would be, and every version before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.accounts import policy_store as policies
from app.accounts.policy_document import read_policy, write_policy
from app.accounts.read_policy import REPLIES, current_policy
from app.console.forms import read_form, told
from app.console.pages.rules.policy_form import FIELDS, differing, policy_of, values_of
from app.console.pages.rules.policy_week import Week, last_week, word_for
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.outcomes import Conflict, NotFound, Unusable
from app.policy.change_policy import change_policy
from app.policy.http import PolicyBody

router = APIRouter(prefix="/console/policy", include_in_schema=False, route_class=ConsoleRoute)
EveryKey = Annotated[Visit, Depends(SignedIn())]
Admin = Annotated[Visit, Depends(SignedIn("admin"))]
VERSIONS = 50


@router.get("")
async def policy(visit: EveryKey) -> Response:
    """The policy in force, as a form for those who may change it."""
    found = await current_policy(visit.services, visit.caller)
    return await _form(visit, values_of(write_policy(found.policy)), found.policy.version)


@router.post("")
async def change(visit: Admin) -> Response:
    """Show what would change; once that is confirmed, put it by the rules of PUT /v1/policy."""
    found = await current_policy(visit.services, visit.caller)
    present = write_policy(found.policy)
    wanted, faults = policy_of(visit.form, present)
    version = visit.text("version")
    body: PolicyBody | None = None
    if not faults:
        number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
        body, faults = read_form(PolicyBody, {**wanted, "version": number, "comment": visit.text("comment")})
    if body is None:
        return await _form(visit, dict(visit.form), found.policy.version, faults=faults)
    document = _as_kept(body.model_dump(exclude={"inbound", "version", "comment"}, mode="json"))
    if visit.text("week") == "yes":
        return await _with_week(visit, document, found.policy.version, differing(present, document))
    if visit.text("confirmed") != "yes":
        return await _form(
            visit, dict(visit.form), found.policy.version, changed=differing(present, document)
        )
    return await _put(visit, body, found.policy.version)


async def _with_week(
    visit: Visit, document: dict[str, Any], version: int, changed: list[tuple[str, str, str, str]]
) -> Response:
    """The form again with what would have been different last week; only that, where the script asks."""
    faults: dict[str, str] = {}
    week: Week | None = None
    try:
        week = await last_week(visit, document)
    except Unusable as error:
        faults = told(error.faults)
    if visit.request.query_params.get("part"):
        return visit.part("policy_week.html", week=week, word_for=word_for, faults=faults)
    return await _form(visit, dict(visit.form), version, faults=faults, changed=changed, week=week)


@router.get("/versions/{version}")
async def one_version(visit: EveryKey, version: int, week: str = "", part: str = "") -> Response:
    """A policy of before, how it differs from the one in force, and on demand what it would have changed last week."""
    if week:
        visit.caller.needs("admin")
    kept = await _version(visit, version)
    found = await current_policy(visit.services, visit.caller)
    before = _as_kept(kept.policy)
    changed = differing(write_policy(found.policy), before)
    held = await last_week(visit, before) if week else None
    if part and held is not None:
        return visit.part("policy_week.html", week=held, word_for=word_for, faults={})
    return await visit.page(
        "policy_version_page.html",
        f"Policy, version {version}",
        kept=kept,
        changed=changed,
        now_in_force=found.policy.version,
        week=held,
        word_for=word_for,
        faults={},
    )


@router.post("/versions/{version}")
async def put_back(visit: Admin, version: int) -> Response:
    """Make a policy of before the one in force. The replies to texts and their secret stay as they are."""
    kept = await _version(visit, version)
    before = {name: value for name, value in kept.policy.items() if name != "inbound"}
    body, _ = read_form(PolicyBody, {**before, "comment": f"Version {version} put back"})
    if body is None:
        raise Conflict("This release does not take that policy as it stands; enter it by hand.")
    found = await current_policy(visit.services, visit.caller)
    return await _put(
        visit, body, found.policy.version, said=f"The policy of version {version} is in force again."
    )


def _as_kept(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The whole policy as it would be written: what it does not say has its default, and each thing one spelling."""
    return write_policy(read_policy(policy, -1))


async def _put(visit: Visit, body: PolicyBody, shown: int, said: str = "") -> Response:
    document = body.model_dump(exclude={"inbound", "version", "comment"})
    replies = (await current_policy(visit.services, visit.caller)).inbound()
    inbound = {name: replies[name] for name in REPLIES}
    scanner = visit.services.rule_set.scanner
    try:
        put = await change_policy(
            visit.services, scanner, visit.caller, document, inbound, body.version, body.comment
        )
    except Unusable as error:
        return await _form(visit, dict(visit.form), shown, faults=told(error.faults))
    return visit.go(
        "/console/policy", said or f"Version {put.policy.version} is in force from the next decision on."
    )


async def _version(visit: Visit, version: int) -> policies.PolicyVersion:
    if not 0 < version < 1 << 31:
        raise NotFound("There is no such version.")
    found = await visit.services.database.run(
        lambda connection: policies.versions(connection, visit.caller.account_id, version + 1, 1),
        may_run_twice=True,
    )
    if not found or found[0].version != version:
        raise NotFound("There is no such version.")
    return found[0]


async def _form(
    visit: Visit,
    values: dict[str, Any],
    version: int,
    *,
    faults: dict[str, str] | None = None,
    changed: list[tuple[str, str, str, str]] | None = None,
    week: Week | None = None,
) -> Response:
    known = {field.name for field in FIELDS}
    by_path = {field.path.partition(".")[0]: field.name for field in reversed(FIELDS)}
    named = {
        (name if name in known else by_path.get(name, name)): said for name, said in (faults or {}).items()
    }
    before = await visit.services.database.run(
        lambda connection: policies.versions(connection, visit.caller.account_id, None, VERSIONS),
        may_run_twice=True,
    )
    return await visit.page(
        "policy_page.html",
        "Policy",
        422 if named else 200,
        fields=FIELDS,
        values=values,
        in_force=version,
        faults=named,
        changed=changed,
        versions=before,
        week=week,
        word_for=word_for,
    )
