"""Whether the process lives, whether it can decide, and its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from app import telemetry
from app.api import documents
from app.api.answers import json_response
from app.api.caller import equipment_of
from app.api.problems import ProblemWriter, instance_of, respond
from app.postgres.registries import Registry
from app.workflows.readiness import Readiness

router = APIRouter(tags=["operation"])


class LiveDocument(documents.Document):
    """The process answers."""

    status: Literal["ok"]


class ReadyDocument(documents.Document):
    """It can decide, and this is what it decides by."""

    status: str
    checks: dict[str, Any]
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

    It tries what a decision does, in both stores, at most once a second however often it is asked.
    """
    equipment = equipment_of(request)
    readiness: Readiness = request.app.state.readiness
    outcome = await readiness.look()
    warnings, stale = _registries(outcome.registries)
    checks = {**outcome.checks, **{f"registry {name}": "too old" for name in stale}}
    found = {"checks": checks, "versions": dict(equipment.knowledge.versions), "warnings": warnings}
    if outcome.ready:
        return json_response({"status": "ok", **found}, headers={"Cache-Control": "no-store"})
    writer: ProblemWriter = request.app.state.writer
    away = " and ".join(f"{name} {outcome}" for name, outcome in checks.items() if outcome != "ok")
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
    _registries((await readiness.look()).registries)
    body = await asyncio.to_thread(telemetry.exposition, request.app.state.metrics_dir)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


def _registries(found: Sequence[Registry]) -> tuple[list[str], list[str]]:
    warnings, stale = [], []
    telemetry.note_registries(
        {each.name: each.age_days for each in found if each.age_days is not None},
        {each.name: each.days_left for each in found if each.days_left is not None},
    )
    for registry in found:
        if registry.stale:
            stale.append(registry.name)
            warnings.append(f"the registry {registry.name} is too old: what it binds is refused with 503")
        elif registry.days_left is not None and registry.days_left <= max(
            1, (registry.max_age_days or 0) // 4
        ):
            warnings.append(f"the registry {registry.name} will be too old in {registry.days_left} days")
    return warnings, stale
