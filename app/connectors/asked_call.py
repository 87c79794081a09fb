"""A call as another system asks for it, made into an intent and decided as one that is posted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.accounts.identify import identify
from app.capacity.leases.change_leases import read_lease
from app.guardrail.facts import Intent
from app.intents.bodies import CallBody
from app.intents.decide import decide_intent
from app.intents.decision import IntentRequest, Render
from app.intents.services import Services
from app.numbering import canonical, spellings
from app.platform.redis.rate_limits import RateState
from app.suppression import store as suppressions

# An approval that is asked for again when its call is over, or its number suppressed.
USED_UP = "REPLAYED"


@dataclass(frozen=True, slots=True)
class AskedCall:
    """What was decided. ``document`` is the approval or the problem as POST /v1/intents answers it."""

    approved: bool
    code: str  # of the first refusal, as DNC_BLOCKED; empty when approved
    intent_id: str
    document: Mapping[str, Any]
    rate: RateState | None


def call_intent(members: Mapping[str, Any]) -> Intent:
    """The intent of a call, checked as the body of POST /v1/intents is. Raises pydantic's ValidationError."""
    given = {name: value for name, value in members.items() if value is not None}
    return CallBody.model_validate({**given, "type": "call"}).intent()


async def ask_for_call(
    services: Services, presented: IntentRequest, intent: Intent, render: Render
) -> AskedCall:
    """Decide it; raises what deciding an intent raises, and then nothing is approved.

    The same question under the same key is told the same, but for an approval whose channel has been given back, since
    its call is over and nobody may place another on it; and for one whose number has been suppressed since.
    """
    answer = await decide_intent(services, presented, intent, render)
    document = orjson.loads(answer.body)
    approved = document.get("verdict") == "approved"
    code = "" if approved else str(document["code"])
    intent_id = str(document["id"] if approved else document.get("intent_id", ""))
    if approved and answer.replayed and not await _stands(services, presented, intent, intent_id):
        approved, code = False, USED_UP
    return AskedCall(approved, code, intent_id, document, answer.rate)


async def _stands(services: Services, presented: IntentRequest, intent: Intent, intent_id: str) -> bool:
    now = services.now()
    caller = await identify(services, presented.key_hash, now)
    lease = await read_lease(services, caller, UUID(intent_id))
    if lease.ended_at is not None or lease.expires_at <= now:
        return False
    entries = await services.database.run(
        lambda connection: suppressions.entries(
            connection, caller.account_id, spellings(canonical(intent.to)), now
        ),
        may_run_twice=True,
    )
    return all(entry["channel"] == "sms" for entry in entries)
