"""A decision on its way: who asks, what was decided, the row to append, the answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.accounts.authenticate import Caller
from app.capacity.semaphore import ANY_ATTEMPT, Admission
from app.guardrail.evaluation import Verdict
from app.guardrail.facts import Intent
from app.instants import instant_of_ms
from app.intents import take_channel as admission
from app.intents.decision_row import Claim, Decision, LeaseRecord
from app.intents.services import PendingCompensation
from app.platform.idempotency.answers import Answer, RequestIdentity
from app.platform.idempotency.store import Claimed

OPERATION = "intents"


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that is made and not yet recorded. ``document`` is what its row keeps beside the columns."""

    id: uuid.UUID
    intent: Intent
    verdict: Verdict
    decided_at: datetime
    document: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """The decision in the shape in which it will be read back."""
        return {
            "id": str(self.id),
            "type": self.intent.type,
            "verdict": "blocked" if self.verdict.blocked else "approved",
            "to": self.intent.to,
            "from": self.intent.sender,
            "decided_at": self.decided_at,
            **self.document,
        }


# From a decision's record, and the seconds to wait when it is refused for the moment only, to its answer.
Render = Callable[[Mapping[str, Any], int | None], Answer]


@dataclass(frozen=True, slots=True)
class IntentRequest(RequestIdentity):
    """Who asks for an intent to be decided.

    For the items of a batch: ``intent_id`` fixes the id, ``attempt_token`` tells apart the tries of a batch with a key,
    ``taken_over`` says that an earlier one died, and ``unanswered`` takes what this one may have to undo.
    """

    intent_id: uuid.UUID | None = None
    attempt_token: str = ANY_ATTEMPT
    taken_over: bool = False
    pending: list[PendingCompensation] | None = None


def recorded_wait(decision: Mapping[str, Any]) -> int | None:
    """The seconds to wait that a recorded refusal told, if it was one for the moment."""
    waits = [violation["members"].get("retry_after") for violation in decision["violations"]]
    return next((int(wait) for wait in waits if wait is not None), None)


def rate_class(intent: Intent) -> str:
    """The API class that an intent counts in."""
    return "calls" if intent.type == "call" else "sms"


def decision_row(
    caller: Caller,
    decided: Decided,
    admitted: Admission | None,
    claim: Claimed | None,
    answer: Answer,
) -> Decision:
    """The row to append."""
    intent, lease = decided.intent, None
    if admitted is not None and intent.type == "call":
        hard_end = decided.decided_at + timedelta(milliseconds=admission.HARD_END_MS)
        expires = instant_of_ms(admitted.expires_at_ms)
        lease = LeaseRecord(intent.pool, admission.scope_names(intent), expires, max(hard_end, expires))
    kept = None
    if claim is not None:
        status = None if answer.status in (429, 503) else answer.status
        kept = Claim(OPERATION, claim.key, claim.holder, status, answer.headers, answer.body)
    return Decision(
        id=decided.id,
        account_id=caller.account_id,
        key_id=caller.key_id,
        decided_at=decided.decided_at,
        type=intent.type,
        verdict="blocked" if decided.verdict.blocked else "approved",
        codes=decided.verdict.codes,
        to_number=intent.to,
        from_number=intent.sender,
        purpose=intent.purpose,
        campaign=intent.campaign,
        document=decided.document,
        subject=intent.subject,
        epoch=admitted.epoch if admitted else 0,
        fence=admitted.fence if admitted else 0,
        lease=lease,
        claim=kept,
    )
