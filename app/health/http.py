"""Whether the process lives, whether it can decide, and its figures."""

from __future__ import annotations

import asyncio
from typing import Literal, cast

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from app import telemetry
from app.accounts.caller import services_of
from app.health.figures import look_at_figures
from app.health.readiness import Readiness, described_lag
from app.intents.services import Services
from app.intents.upkeep.watch_registries import watch_registries
from app.platform.http import response_schemas as documents
from app.platform.http.problems import ProblemWriter, instance_of, respond
from app.platform.http.responses import json_response

router = APIRouter(tags=["operation"])


class LiveDocument(documents.Document):
    """The process answers."""

    status: Literal["ok"]


class ReadyDocument(documents.Document):
    """It can decide, and this is what it decides by."""

    status: Literal["ok", "degraded"]
    checks: dict[str, str]
    versions: dict[str, str]
    warnings: list[str]


@router.get("/livez", summary="Does the process answer?", responses={200: {"model": LiveDocument}})
async def livez() -> Response:
    """Asks no store: a restart would not help if one were away."""
    return json_response({"status": "ok"})


@router.get(
    "/readyz",
    summary="Can it decide?",
    responses={200: {"model": ReadyDocument}, **documents.problems("service-unavailable", keyed=False)},
)
async def readyz(request: Request) -> Response:
    """Names what cannot be done; 503 then, so that a load balancer sends intents elsewhere.

    The read replica decides nothing: how far it is behind is told, and changes nothing of the status.

    It tries what a decision does, in both stores, at most once a second however often it is asked. `degraded`, with
    200: a registry is too old, so that whom it binds is refused with 503, here as everywhere.
    """
    services = cast(Services, services_of(request))
    readiness: Readiness = request.app.state.readiness
    outcome = await readiness.look()
    standing = watch_registries(
        services, await readiness.registries() if outcome.checks["postgres"] == "ok" else None
    )
    checks = {**outcome.checks, **{f"registry {name}": found for name, found in standing.checks.items()}}
    warnings = list(standing.warnings)
    if services.replica is not None:
        checks["read replica"], warning = described_lag(await services.replica.lag())
        warnings += [warning] if warning else []
    found = {
        "checks": checks,
        "versions": dict(services.rule_set.versions),
        "warnings": warnings,
    }
    if outcome.ready:
        status = "degraded" if standing.degraded else "ok"
        return json_response({"status": status, **found}, headers={"Cache-Control": "no-store"})
    writer: ProblemWriter = request.app.state.writer
    away = " and ".join(f"{name} {said}" for name, said in outcome.checks.items() if said != "ok")
    return respond(
        writer.document(
            "service-unavailable",
            instance=instance_of(request.scope),
            detail=f"Intents cannot be decided: {away}.",
            members={"retry_after": 2, **found},
        )
    )


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format"}},
    response_class=PlainTextResponse,
)
async def metrics(request: Request) -> Response:
    """Of all worker processes together."""
    # So that the age of a registry is seen by whoever collects only this.
    readiness: Readiness = request.app.state.readiness
    watch_registries(cast(Services, services_of(request)), await readiness.registries())
    seen = await look_at_figures(cast(Services, services_of(request)), readiness)
    body = await asyncio.to_thread(telemetry.exposition, request.app.state.metrics_dir, seen)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
