"""What recorded decisions are filtered by, the same in lists and in exports."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import Depends, Query, Request

from app.accounts.caller import services_of
from app.intents.bodies import PoolName
from app.intents.services import Services
from app.numbering.number_fields import SmsSender
from app.numbering.number_filter import NumberFilter, number_filter
from app.platform.http.fields import Instant


async def _given(
    request: Request,
    to: Annotated[
        NumberFilter | None,
        Query(
            description="E.164, the plus sign written %2B; or, within `since` and `until` of at most 31 days, "
            "its beginning (%2B1415*) or last digits (*1234)"
        ),
    ] = None,
    sender: Annotated[SmsSender | None, Query(alias="from")] = None,
    type: Annotated[Literal["call", "sms"] | None, Query()] = None,
    verdict: Annotated[Literal["approved", "blocked"] | None, Query()] = None,
    code: Annotated[
        str | None,
        Query(pattern="^[A-Z_]{1,40}$", description="As DNC_BLOCKED: among the reasons, first or not"),
    ] = None,
    campaign: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    purpose: Annotated[Literal["marketing", "informational", "emergency"] | None, Query()] = None,
    pool: Annotated[PoolName | None, Query(description="Calls for channels of it")] = None,
    key_id: Annotated[UUID | None, Query(description="Asked with this API key")] = None,
    since: Annotated[Instant | None, Query(description="Decided at or after")] = None,
    until: Annotated[Instant | None, Query(description="Decided before")] = None,
) -> dict[str, Any]:
    services = cast(Services, services_of(request))
    now = services.now()
    oldest = now - timedelta(days=services.retention_days)
    return {
        **number_filter(to, since, until, now),
        "from": sender,
        "type": type,
        "verdict": verdict,
        "code": code,
        "campaign": campaign,
        "purpose": purpose,
        "pool": pool,
        "key_id": key_id,
        "since": max(since, oldest) if since else oldest,
        "until": until,
    }


# By name, as app.intents.records.store takes them; never older than the retention.
DecisionFilters = Annotated[dict[str, Any], Depends(_given)]
