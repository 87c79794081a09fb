"""What a policy would have changed in the decisions of the last week, as POST /v1/policy/preview works it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.accounts.policy_document import read_policy
from app.console.reasons import APPROVED, Reason, reason_of
from app.console.visit import Visit
from app.guardrail.refusals import PRECEDENCE
from app.platform.outcomes import Unusable
from app.policy.change_policy import rule_faults
from app.policy.preview.compare import CALLER_ID, LEFT_OUT
from app.policy.preview.preview_policy import Differences, hold_against

PERIOD = timedelta(days=7)
CAMPAIGNS = 10
_CODES = frozenset(each.code for each in PRECEDENCE)
_NOT_WORKED_OUT = {
    "abandonment": "the limit on abandoned calls",
    "content.snowshoe": "texts spread over many senders",
}
_OTHER_CALLER = Reason(
    CALLER_ID,
    "N",
    "Caller id",
    "The caller id is not one of those that the policy lets the account show.",
    "",
    "quiet",
)


@dataclass(frozen=True, slots=True)
class Week:
    """``codes``: each reason with how many decisions gain and lose it; ``campaigns`` with how many were looked at,
    would be refused and would be approved.
    """

    found: Differences
    since: datetime
    until: datetime
    codes: list[tuple[Reason, int, int]]
    campaigns: list[tuple[str | None, int, int, int]]
    left_out: list[str]


async def last_week(visit: Visit, policy: Mapping[str, Any]) -> Week:
    """The week up to now under the policy. Raises Unusable for one that could not be put."""
    wanted = read_policy(dict(policy), -1)
    faults = rule_faults(wanted, visit.services.rule_set.scanner)
    if faults:
        raise Unusable(faults)
    until = visit.services.now()
    found, since = await hold_against(visit.services, visit.caller, wanted, until - PERIOD, until)
    codes = sorted(found.codes.items(), key=lambda item: (-sum(item[1]), item[0]))
    campaigns = [
        (name, looked_at, refused, approved)
        for name, (looked_at, refused, approved) in found.campaigns.items()
        if refused or approved
    ]
    campaigns.sort(key=lambda each: (-(each[2] + each[3]), each[0] or ""))
    return Week(
        found,
        since,
        until,
        [(word_for(code), gained, lost) for code, (gained, lost) in codes],
        campaigns[:CAMPAIGNS],
        [_NOT_WORKED_OUT.get(each, each) for each in LEFT_OUT],
    )


def word_for(code: str) -> Reason:
    """The reason's words; of a caller id as well, for which nothing is recorded."""
    if not code:
        return APPROVED
    return reason_of(code) if code in _CODES else _OTHER_CALLER
