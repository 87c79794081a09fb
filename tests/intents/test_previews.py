"""Previews for other instants travel with the decisions, whatever the instants are."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import text

from app.clock import utc_now
from app.intents.preview import preview_intent
from tests.intents.conftest import CALL, Decider


async def test_previews_for_many_instants_leave_connections_to_the_decisions(decider: Decider) -> None:
    services, now, most = decider.services, utc_now(), 0
    previews = asyncio.gather(
        *(
            preview_intent(services, decider.presented(), CALL, now + timedelta(hours=hours))
            for hours in range(300)
        )
    )

    async def watch() -> None:
        nonlocal most
        while not previews.done():
            most = max(most, services.database._hot.pool.checkedout())  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    assert (await decider.decide()).status == 201
    answered = await previews
    await watching
    assert [at for _, at, _ in answered] == [now + timedelta(hours=hours) for hours in range(300)]
    # Two statements of facts and three of the ledger can be away at once.
    assert 1 <= most <= 5


async def test_each_preview_is_judged_at_its_own_instant(decider: Decider) -> None:
    services, now = decider.services, utc_now()
    async with services.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO suppressions (account_id, number, channel, id, created_at, updated_at, expires_at,"
                " reason, source)"
                " VALUES (:account, :number, 'all', gen_random_uuid(), now(), now(), :ends, '', 'manual')"
            ),
            {"account": decider.caller.account_id, "number": CALL.to, "ends": now + timedelta(hours=5, minutes=30)},
        )  # fmt: skip
    intent = type(CALL)("call", CALL.to, CALL.sender, purpose="informational")
    verdicts = await asyncio.gather(
        *(preview_intent(services, decider.presented(), intent, now + timedelta(hours=h)) for h in range(12))
    )
    suppressed = [
        any(violation.refusal.slug == "dnc-blocked" for violation in verdict.violations)
        for verdict, _, _ in verdicts
    ]
    assert suppressed == [True] * 6 + [False] * 6
