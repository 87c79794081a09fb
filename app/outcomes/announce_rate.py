"""Tell of a campaign whose abandonment rate comes near what the account's policy allows, or goes beyond it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts import policy_store as policies
from app.accounts.policy_document import read_policy
from app.events import store as events
from app.outcomes import store as outcomes
from app.outcomes.store import StoredOutcome
from app.outcomes.verdict import rate_of, standing

_BY_PERSON = ("answered", "abandoned")
_WORSE = (None, "near", "exceeded")


async def announce_rate(
    connection: AsyncConnection,
    account_id: UUID,
    campaign: str,
    day: date,
    told: StoredOutcome,
    before: StoredOutcome | None,
    now: datetime,
) -> None:
    """After an outcome was counted, in its transaction: an event when it is this one that made the standing worse.

    Whoever counts for the same campaign on the same day waits for us, so that each crossing is one teller's.
    """
    results = (told.result, before.result if before else None)
    if results[0] == results[1] or not set(results) & set(_BY_PERSON):
        return
    stored = await policies.fetch(connection, account_id)
    policy = read_policy(stored.policy, stored.version).abandonment
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=policy.days - 1) if policy else today
    if policy is None or not first <= day <= today:
        return
    found = await outcomes.figures(
        connection, account_id, first, today, campaign=campaign, behind=None, limit=1
    )
    counts = found[0].counts if found else {}
    abandoned = counts.get("abandoned", 0)
    by_person = counts.get("answered", 0) + abandoned
    here = standing(by_person, abandoned, policy.max)
    was = standing(
        by_person - (results[0] in _BY_PERSON) + (results[1] in _BY_PERSON),
        abandoned - (results[0] == "abandoned") + (results[1] == "abandoned"),
        policy.max,
    )
    if here is None or _WORSE.index(here) <= _WORSE.index(was):
        return
    await events.write(
        connection,
        account_id,
        "abandonment.exceeded" if here == "exceeded" else "abandonment.near",
        f"campaign:{campaign}",
        now,
        {
            "campaign": campaign or None,
            "rate": rate_of(by_person, abandoned),
            "max": float(policy.max),
            "period": f"P{policy.days}D",
            "answered_by_person": by_person,
            "abandoned": abandoned,
        },
    )
