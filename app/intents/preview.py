"""What would be decided, at any instant: takes nothing, counts nothing, records nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.accounts.authenticate import authenticate
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.intents.decide import ask_about, gather_facts, need_scopes
from app.intents.decision import IntentRequest, rate_class
from app.intents.evaluate import evaluate_intent
from app.intents.services import Services
from app.intents.take_channel import check_pool
from app.platform.outcomes import RateExceeded
from app.platform.redis.rate_limits import RateState


async def preview_intent(
    services: Services, presented: IntentRequest, intent: Intent, at: datetime | None
) -> tuple[Verdict, datetime, RateState]:
    """The verdict of every guardrail but the channel, for ``at`` or for now."""
    now = services.now()
    ask = replace(ask_about(presented.key_hash, intent), at=at)
    gathered = await gather_facts(services, ask)
    caller = authenticate(gathered.key, presented.key_hash, now)
    services.note_use(caller, now)
    need_scopes(caller, intent)
    rate = await services.semaphore.spend(services.rate(caller, rate_class(intent)))
    if rate.exceeded:
        raise RateExceeded(rate, rate_class(intent))
    check_pool(intent, gathered)
    return evaluate_intent(services.rule_set, intent, gathered.facts, at or now).verdict, at or now, rate
