"""Whether the process lives, whether it can decide, and its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import PlainTextResponse, Response

from app import telemetry
from app.api import documents
from app.api.answers import json_response
from app.api.caller import equipment_of
from app.api.problems import ProblemWriter, instance_of, respond
from app.channels import RedisUnavailable
from app.postgres.database import PostgresUnavailable
from app.workflows.equipment import Equipment
from app.workflows.watch_registries import Standing, watch_registries

router = APIRouter(tags=["operation"])
_REVISION = text("SELECT version_num FROM alembic_version")


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
    """Names what it cannot reach; 503 then, so that a load balancer sends intents elsewhere.

    `degraded`, with 200: a registry is too old, so that whom it binds is refused with 503, here as everywhere.
    """
    equipment = equipment_of(request)
    postgres, redis = await asyncio.gather(
        _outcome(_postgres(equipment, request.app.state.revision)), _outcome(equipment.semaphore.ping())
    )
    standing = await _standing(equipment) if postgres == "ok" else None
    checks, warnings = {"postgres": postgres, "redis": redis}, []
    if standing is not None:
        checks |= {f"registry {name}": found for name, found in standing.checks.items()}
        warnings = list(standing.warnings)
    ready = postgres == "ok" and redis == "ok"
    found = {"checks": checks, "versions": dict(equipment.knowledge.versions), "warnings": warnings}
    if ready:
        status = "degraded" if standing is not None and standing.degraded else "ok"
        return json_response({"status": status, **found}, headers={"Cache-Control": "no-store"})
    writer: ProblemWriter = request.app.state.writer
    stores = (("postgres", postgres), ("redis", redis))
    away = " and ".join(f"{name} {outcome}" for name, outcome in stores if outcome != "ok")
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
    await _standing(request.app.state.equipment)
    body = await asyncio.to_thread(telemetry.exposition, request.app.state.metrics_dir)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _outcome(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(1.8):
            await check
    except (PostgresUnavailable, RedisUnavailable, TimeoutError):
        return "cannot be asked"
    except _Behind as behind:
        return str(behind)
    return "ok"


class _Behind(Exception):
    """The schema is not the one that this release was written for."""


async def _postgres(equipment: Equipment, wanted: str | None) -> None:
    async def work(connection: AsyncConnection) -> str:
        return str((await connection.execute(_REVISION)).scalar_one())

    found = await equipment.database.run(work, may_run_twice=True)
    # A newer schema is fine: migrations are safe while the release before them still runs.
    if wanted is not None and found < wanted:
        raise _Behind(f"the schema is at revision {found}, this release needs {wanted}: run callgate migrate")


async def _standing(equipment: Equipment) -> Standing | None:
    try:
        return await watch_registries(equipment)
    except PostgresUnavailable:
        return None
