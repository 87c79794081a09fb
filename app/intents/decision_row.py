"""A decision as it is appended: its columns, with the lease and the claim that go with it, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the ledger keeps of a channel that was taken."""

    pool: str
    scopes: tuple[str, ...]
    expires_at: datetime
    hard_end_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The Idempotency-Key under which a decision is made, and the answer to keep with it.

    ``status`` None: an answer that is not kept. The claim goes with the decision, so that whoever comes with the key
    again begins anew, though this process should die before it answers.
    """

    operation: str
    key: str
    holder: uuid.UUID
    status: int | None
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision to append. ``document`` is what GET answers besides the columns, JSON-ready."""

    id: uuid.UUID
    account_id: uuid.UUID
    key_id: uuid.UUID
    decided_at: datetime
    type: str
    verdict: str
    codes: tuple[str, ...]
    to_number: str
    from_number: str
    purpose: str
    campaign: str | None
    document: Mapping[str, Any]
    subject: str | None = None
    epoch: int = 0
    fence: int = 0
    lease: LeaseRecord | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether a decision was appended, and if not, why: neither of the two means that its epoch has passed.

    ``claim_lost``: another process has taken the Idempotency-Key over. ``existed``: another has recorded a decision
    under this id, which stands.
    """

    appended: bool
    claim_lost: bool
    existed: bool
