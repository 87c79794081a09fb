"""What would be decided, at any instant: takes nothing, counts nothing, records nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.accounts.authenticate import authenticate
from app.capacity.semaphore import RateState
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.intents.decide import ask_about, gather_facts, need_scopes
from app.intents.decision import Presented, rate_class
from app.intents.evaluate import judge
from app.intents.services import Equipment
from app.intents.take_channel import check_pool
from app.platform.outcomes import RateExceeded


async def preview_intent(
    equipment: Equipment, presented: Presented, intent: Intent, at: datetime | None
) -> tuple[Verdict, datetime, RateState]:
    """The verdict of every guardrail but the channel, for ``at`` or for now."""
    now = equipment.now()
    ask = replace(ask_about(presented.key_hash, intent), at=at)
    gathered = await gather_facts(equipment, ask)
    caller = authenticate(gathered.key, presented.key_hash, now)
    need_scopes(caller, intent)
    rate = await equipment.semaphore.spend(equipment.rate(caller, rate_class(intent)))
    if rate.exceeded:
        raise RateExceeded(rate, rate_class(intent))
    check_pool(intent, gathered)
    return judge(equipment.knowledge, intent, gathered.facts, at or now).verdict, at or now, rate
