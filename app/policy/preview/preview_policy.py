"""Hold the decisions of a period against another policy: how many would differ, by reason and campaign."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from app.accounts.authenticate import Caller
from app.accounts.read_policy import current_policy
from app.guardrail.facts import AccountPolicy
from app.guardrail.refusals import BY_SLUG
from app.intents.counts.read_counts import Period, period_of, read_counts
from app.intents.records import store as decision_records
from app.intents.services import Services
from app.platform.outcomes import Unusable
from app.policy.preview import store as known_then
from app.policy.preview.compare import Compared, compare

MOST_DAYS = 31
MOST_DECISIONS = 5_000
SECONDS = 6.0
_SLICES = 50
_PAGE = 100
MOST_SAMPLES = 20


@dataclass(slots=True)
class Differences:
    """What would differ. ``complete``: every decision of the period was looked at; else some of each part of it."""

    decisions: int = 0
    looked_at: int = 0
    complete: bool = True
    now_refused: int = 0
    now_approved: int = 0
    other_reasons: int = 0
    codes: dict[str, list[int]] = field(default_factory=dict)  # refused, approved
    campaigns: dict[str | None, list[int]] = field(default_factory=dict)  # decisions, refused, approved
    samples: list[tuple[Mapping[str, Any], Compared]] = field(default_factory=list)


async def preview_policy(
    services: Services, caller: Caller, wanted: AccountPolicy, since: datetime, until: datetime
) -> Differences:
    """Each decision by itself, under the policy that it was made with and under ``wanted``, from what was known then.

    Attempts are as they were, also where an earlier one would have been refused. Changes nothing.
    """
    found = Differences(decisions=await _how_many(services, caller, since, until))
    found.complete = found.decisions <= MOST_DECISIONS
    present, end = (await current_policy(services, caller)).policy, monotonic() + SECONDS
    policies: dict[int, AccountPolicy] = {present.version: present}
    async for page in _pages(services, caller, since, until, whole=found.complete):
        await _look_at(services, caller, wanted, present, policies, page, found)
        if monotonic() > end:
            found.complete = False
            break
    return found


async def hold_against(
    services: Services, caller: Caller, wanted: AccountPolicy, since: datetime, until: datetime
) -> tuple[Differences, datetime]:
    """What would differ of a period whose beginning is cut to what is kept; and where it then begins.

    It holds a place of those for exports. Raises Crowded and CannotDecide where none is free.
    """
    oldest = services.now() - timedelta(days=services.retention_days)
    since = min(max(since, oldest), until)
    place = services.exports.take(caller.account_id)
    try:
        return await preview_policy(services, caller, wanted, since, until), since
    finally:
        place.leave()


async def _how_many(services: Services, caller: Caller, since: datetime, until: datetime) -> int:
    """Of the hours that the period touches, from the counts."""
    period = period_of(since, until, "hour", until, since) or Period(since, until)
    return (await read_counts(services.database, caller.account_id, period, "hour", "verdict")).decisions


async def _pages(
    services: Services, caller: Caller, since: datetime, until: datetime, *, whole: bool
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """All decisions of the period, or the first of each of its parts, so that no hour of it is left out."""
    parts = 1 if whole else _SLICES
    for part in range(parts):
        begin, end = (since + (until - since) * (part + place) / parts for place in (0, 1))
        behind = None
        while True:
            page = await decision_records.page(
                services.database,
                caller.account_id,
                filters={"since": begin, "until": end},
                behind=behind,
                limit=_PAGE,
                order="asc",
            )
            yield page.rows
            behind = page.next_id
            if behind is None or not whole:
                break


async def _look_at(
    services: Services,
    caller: Caller,
    wanted: AccountPolicy,
    present: AccountPolicy,
    policies: dict[int, AccountPolicy],
    page: Sequence[Mapping[str, Any]],
    found: Differences,
) -> None:
    if not page:
        return
    rule_set, account_id = services.rule_set, caller.account_id
    versions = {_policy_of(decision, present) for decision in page}
    unread = versions - policies.keys()
    if unread:
        policies |= await services.database.run(
            lambda connection: known_then.policies_of(connection, account_id, sorted(unread)),
            may_run_twice=True,
        )
    numbers, times = [each["to"] for each in page], [each["decided_at"] for each in page]
    known = await services.database.run(
        lambda connection: known_then.known_of(connection, account_id, numbers, min(times), max(times)),
        may_run_twice=True,
    )
    for decision in page:
        version = _policy_of(decision, present)
        at, number = decision["decided_at"], decision["to"]
        codes = list(dict.fromkeys(BY_SLUG[each["slug"]].code for each in decision["violations"]))
        try:
            compared = compare(
                rule_set,
                decision,
                codes,
                policies.get(version, present),
                wanted,
                known.consents_at(number, at),
                known.attempts_before(number, at),
            )
        except (Unusable, ValueError, KeyError):
            continue  # a number or a place that is none any more
        _count(found, decision, compared)
        await asyncio.sleep(0)  # others want to decide meanwhile


def _policy_of(decision: Mapping[str, Any], present: AccountPolicy) -> int:
    """The version that it was made with; the present one's where a decision of before says none."""
    return int((decision.get("versions") or {}).get("policy", present.version))


def _count(found: Differences, decision: Mapping[str, Any], compared: Compared) -> None:
    found.looked_at += 1
    campaign = found.campaigns.setdefault(decision["campaign"], [0, 0, 0])
    campaign[0] += 1
    before, after = tuple(compared.before), tuple(compared.after)
    if before == after:
        return
    if len(found.samples) < MOST_SAMPLES:
        found.samples.append((decision, compared))
    if not before:
        found.now_refused += 1
        campaign[1] += 1
    elif not after:
        found.now_approved += 1
        campaign[2] += 1
    else:
        found.other_reasons += 1
    for code in after:
        if code not in before:
            found.codes.setdefault(code, [0, 0])[0] += 1
    for code in before:
        if code not in after:
            found.codes.setdefault(code, [0, 0])[1] += 1
