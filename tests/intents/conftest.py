"""The workflows' services on real stores, and an emergency call, which may be decided at any hour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from app.accounts.authenticate import Caller, hash_of
from app.accounts.identify import identify
from app.accounts.manage_keys import ensure_bootstrap_key
from app.clock import utc_now
from app.guardrail.facts import Intent
from app.ids import new_id
from app.intents import take_channel as admission
from app.intents.decide import decide_intent, gather_facts
from app.intents.decision import IntentRequest
from app.intents.decision_answers import answer_of
from app.intents.facts_store import Ask
from app.intents.law.pack_switch import fixed
from app.intents.services import RuleSet, Services
from app.main import equip
from app.platform.http.problems import ProblemWriter
from app.platform.idempotency import store as idempotency
from app.platform.idempotency.answers import Answer
from app.platform.idempotency.store import Claimed
from app.settings import Settings

KEY = "cg_the-key-of-the-workflow-tests"
CALL = Intent("call", "+14155551234", "+12125550100", purpose="emergency")
WRITER = ProblemWriter("https://api.trunx.io/errors", "http://127.0.0.1:8000")


@dataclass(frozen=True, slots=True)
class Decider:
    """One process's services, and the first account's key."""

    services: Services
    caller: Caller

    def presented(self, idempotency_key: str | None = None) -> IntentRequest:
        """The key as a request would carry it."""
        return IntentRequest(hash_of(KEY), idempotency_key, b"one request" if idempotency_key else b"")

    async def decide(self, idempotency_key: str | None = None) -> Answer:
        """Decide the call."""
        return await decide_intent(
            self.services,
            self.presented(idempotency_key),
            CALL,
            lambda record, wait: answer_of(record, wait, WRITER),
        )

    async def claim(self, key: str, at: datetime) -> Claimed:
        """A claim that somebody made at that instant, for the same request."""
        claim = await idempotency.claim(
            self.services.database,
            key_hash=hash_of(KEY),
            scope="intents:write",
            operation="intents",
            key=key,
            request_hash=b"one request",
            resource_id=new_id(at),
            holder=new_id(at),
            now=at,
        )
        assert isinstance(claim, Claimed)
        return claim

    async def dead_claim(self, key: str, intent: Intent) -> Claimed:
        """A claim whose process took the channel and died between that and the commit."""
        now = utc_now()
        claim = await self.claim(key, now - idempotency.DEAD_AFTER - timedelta(seconds=1))
        for _ in range(2):  # the first answer of an empty Redis is "stale"
            gathered = await gather_facts(self.services, Ask(hash_of(KEY), intent.to, intent.pool))
            taken = await admission.admit(
                self.services,
                self.caller,
                intent,
                claim.resource_id,
                gathered,
                (),
                now,
                None,
                claim.holder.hex,
            )
        assert taken.status == "admitted"
        assert await self.in_use() == 1
        return claim

    async def in_use(self) -> int:
        """Channels of the default pool that calls hold."""
        usage = await self.services.semaphore.usage(str(self.caller.account_id), ["pool:default"])
        return usage["pool:default"]


@pytest.fixture
async def decider(database_url: str, redis_url: str, rule_set: RuleSet) -> AsyncIterator[Decider]:
    """Services as the service makes it, on stores of the test's own."""
    settings = Settings.from_environ({"CALLGATE_REDIS_TIMEOUT_MS": "1500"})
    services = await equip(settings, fixed(rule_set), database_url, redis_url)
    await ensure_bootstrap_key(services.database, KEY, utc_now())
    caller = await identify(services, hash_of(KEY), utc_now())
    yield Decider(services, caller)
    await services.semaphore.close()
    await services.database.close()
