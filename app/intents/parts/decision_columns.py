"""Decisions as the columns that one statement appends, each divided into its parts and what is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson

from app.ids import instant_of
from app.intents.decision_row import Decision
from app.intents.parts.divide import divide
from app.intents.parts.store import PartKey, StoredParts
from app.platform.postgres.array_text import array_text

# A decision that is appended longer than this after its id was made (the items of a batch that is gone on with, a
# request that comes again with its key) is noted for the counts, which may be beyond that id already.
LATE_AFTER = timedelta(seconds=5)

_SELDOM = (
    "campaigns", "pools", "scopes", "expiries", "hard_ends",
    "operations", "idempotency", "holders", "statuses", "headers", "bodies", "subjects",
    "parts", "filled", "named_accounts", "named_digests", "part_accounts", "part_digests", "part_texts",
)  # fmt: skip


class Batch:
    """Decisions as the parameters of RECORD, and the parts that they bring with them."""

    def __init__(self, decisions: Sequence[Decision], parts: StoredParts | None = None) -> None:
        self.brought: dict[PartKey, bytes] = {}
        self._named: set[PartKey] = set()
        self._documents: list[str] = []
        self._parts: list[str | None] = []
        self._filled: list[str | None] = []
        for decision in decisions:
            if parts is not None and parts.divides(decision.decided_at):
                self._add_divided(decision, parts)
            else:
                self._add(decision.document, None, None)
        self.decisions = decisions

    def _add(self, document: Mapping[str, Any], parts: str | None, filled: str | None) -> None:
        self._documents.append(orjson.dumps(document).decode())
        self._parts.append(parts)
        self._filled.append(filled)

    def _add_divided(self, decision: Decision, parts: StoredParts) -> None:
        divided = divide(decision.document, decision.id)
        names = []
        for part in divided.parts:
            digest, name = parts.digest(part)
            names.append(name)
            key = decision.account_id, digest
            if key in parts:
                self._named.add(key)
            else:
                self.brought[key] = part
        self._add(divided.own, ",".join(names), orjson.dumps(divided.filled).decode())

    def columns(self) -> dict[str, Any]:
        """The parameters of RECORD."""
        decisions = self.decisions
        leases = [d.lease for d in decisions]
        claims = [d.claim for d in decisions]
        columns: dict[str, Any] = {
            "ids": [d.id for d in decisions],
            "accounts": [d.account_id for d in decisions],
            "keys": [d.key_id for d in decisions],
            "decided": [d.decided_at for d in decisions],
            "types": [d.type for d in decisions],
            "verdicts": [d.verdict for d in decisions],
            "codes": [",".join(d.codes) for d in decisions],
            "tos": [d.to_number for d in decisions],
            "froms": [d.from_number for d in decisions],
            "purposes": [d.purpose for d in decisions],
            "campaigns": [d.campaign for d in decisions],
            "documents": self._documents,
            "epochs": [d.epoch for d in decisions],
            "fences": [d.fence for d in decisions],
            "pools": [lease and lease.pool for lease in leases],
            "scopes": [lease and array_text(lease.scopes) for lease in leases],
            "expiries": [lease and lease.expires_at for lease in leases],
            "hard_ends": [lease and lease.hard_end_at for lease in leases],
            "operations": [claim and claim.operation for claim in claims],
            "idempotency": [claim and claim.key for claim in claims],
            "holders": [claim and claim.holder for claim in claims],
            "statuses": [claim and claim.status for claim in claims],
            "headers": [claim and orjson.dumps(dict(claim.headers)).decode() for claim in claims],
            "bodies": [claim and claim.body for claim in claims],
            "subjects": [d.subject for d in decisions],
            "parts": self._parts,
            "filled": self._filled,
            "named_accounts": [account for account, _ in self._named],
            "named_digests": [digest for _, digest in self._named],
            "part_accounts": [account for account, _ in self.brought],
            "part_digests": [digest for _, digest in self.brought],
            "part_texts": [part.decode() for part in self.brought.values()],
            "late_after": instant_of(min(d.id for d in decisions)) + LATE_AFTER,
        }
        # Of most batches no decision has a claim, a subject or a campaign, and few bring a part. ``unnest`` fills up
        # with nulls what is shorter than the ids, and a column that is not sent is neither written by the driver nor
        # read by the server.
        for name in _SELDOM:
            if not columns[name] or columns[name].count(None) == len(columns[name]):
                columns[name] = None
        return columns
