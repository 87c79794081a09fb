"""Registries: each list's age, what happens when it is too old, and which lists of the states are missing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from app.accounts.read_policy import current_policy
from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.jobs.store import listed_jobs
from app.platform.outcomes import NotFound
from app.suppression.registries.store import list_registries, read_registry, registry_versions

router = APIRouter(prefix="/console/registries", include_in_schema=False, route_class=ConsoleRoute)
MOST, ROWS = 2**31 - 1, 50
EveryKey = Annotated[Visit, Depends(SignedIn())]


@router.get("")
async def registries(visit: EveryKey) -> Response:
    """Every registry, the loads under way, and the lists that the law knows of."""
    database = visit.services.database
    found = await database.run(lambda connection: list_registries(connection, visit.now), may_run_twice=True)
    jobs = []
    if visit.may("operator"):
        jobs = await database.run(
            lambda connection: listed_jobs(
                connection, ["registry_load", "registry_changes"], None, None, None, 20
            ),
            may_run_twice=True,
        )
    kept = [
        (
            each,
            [
                one
                for one in found
                if one.kind == each.kind and (one.region or each.region) == each.region and one.in_force
            ],
        )
        for each in visit.services.rule_set.kept_lists
    ]
    policy = (await current_policy(visit.services, visit.caller)).policy
    return await visit.page(
        "registries_page.html",
        "Registries",
        found=found,
        jobs=jobs,
        kept=kept,
        missing=policy.missing_lists,
    )


@router.get("/{name}")
async def registry(visit: EveryKey, name: str, before: Annotated[int, Query(ge=1)] = MOST) -> Response:
    """One registry, and every list that was loaded into it, as GET /v1/registries/{name}/versions tells."""
    database = visit.services.database
    found = await database.run(
        lambda connection: read_registry(connection, name, visit.now), may_run_twice=True
    )
    if found is None:
        raise NotFound("There is no such registry.")
    versions = await database.run(
        lambda connection: registry_versions(connection, name, min(before, MOST), ROWS + 1),
        may_run_twice=True,
    )
    more = f"?before={versions[ROWS - 1]['id']}" if len(versions) > ROWS else ""
    return await visit.page("registry_page.html", name, registry=found, found=versions[:ROWS], more=more)
