"""What is done from time to time is done in small steps, and to the end."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from app.clock import utc_now
from app.ids import new_id
from app.intents.upkeep.maintain import tidy
from tests.intents.conftest import Decider
from tests.intents.test_commit import rows

MANY = 2_300  # more than two steps, and not a whole number of them


async def leases(decider: Decider, *, acquired_days_ago: float, ended: bool) -> None:
    """Many leases of one hour; of those that ended there is an event."""
    acquired = utc_now() - timedelta(days=acquired_days_ago)
    expires = acquired + timedelta(hours=1)
    given = [
        {
            "id": new_id(acquired),
            "account": decider.caller.account_id,
            "acquired": acquired,
            "expires": expires,
            "ended": expires if ended else None,
            "by": "released" if ended else None,
        }
        for _ in range(MANY)
    ]
    async with decider.services.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO leases (id, account_id, pool, scopes, acquired_at, expires_at, hard_end_at,"
                " ended_at, ended_by) VALUES (:id, :account, 'default', '{pool:default}', :acquired, :expires,"
                " :expires, :ended, :by)"
            ),
            given,
        )
        if ended:
            await connection.execute(
                text(
                    "INSERT INTO lease_events (account_id, pool, lease_id, event, at)"
                    " VALUES (:account, 'default', :id, 'released', :expires)"
                ),
                given,
            )


async def test_leases_and_their_events_go_after_ninety_days_however_many(decider: Decider) -> None:
    await leases(decider, acquired_days_ago=92, ended=True)
    await leases(decider, acquired_days_ago=89, ended=True)
    await tidy(decider.services, utc_now())
    limit = utc_now() - timedelta(days=90)
    for table, instant in (("leases", "ended_at"), ("lease_events", "at")):
        left = await rows(decider, f"SELECT {instant} AS at FROM {table}")
        assert len(left) == MANY
        assert min(row["at"] for row in left) > limit


async def test_leases_that_ended_while_nobody_was_there_are_ended_with_an_event_each(
    decider: Decider,
) -> None:
    await leases(decider, acquired_days_ago=1, ended=False)
    await tidy(decider.services, utc_now())
    assert await rows(decider, "SELECT id FROM leases WHERE ended_at IS NULL") == []
    told = await rows(
        decider, "SELECT event, count(DISTINCT lease_id) AS leases FROM lease_events GROUP BY event"
    )
    assert told == [{"event": "expired", "leases": MANY}]
