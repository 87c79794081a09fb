"""Registries: each list's age, what happens when it is too old, and which lists of the states are missing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.console.trouble import ConsoleRoute
from app.console.visit import SignedIn, Visit
from app.platform.jobs.store import listed_jobs
from app.suppression.registries.store import list_registries

router = APIRouter(prefix="/console/registries", include_in_schema=False, route_class=ConsoleRoute)
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
    return await visit.page("registries_page.html", "Registries", found=found, jobs=jobs, kept=kept)
