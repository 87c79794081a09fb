"""Who is calling: the key as presented, checked against the key as stored."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from app.accounts.key_store import Key
from app.platform.outcomes import MissingScope, Unauthorized

Scope = Literal[
    "intents:write",
    "intents:read",
    "suppressions:read",
    "suppressions:write",
    "consents:read",
    "consents:write",
    "inbound:write",
    "pools:read",
    "pools:write",
    "intents:emergency",
    "admin",
    "operator",
]
SCOPES: tuple[str, ...] = get_args(Scope)
# `admin` implies the others of its own account, but never these two (contract, 1).
NOT_IMPLIED_BY_ADMIN = frozenset({"intents:emergency", "operator"})
EVERY_KEY = ""  # the scope that every key has


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with, now known to be good."""

    key_id: uuid.UUID
    account_id: uuid.UUID
    scopes: frozenset[str]
    is_first_account: bool

    def may(self, scope: str) -> bool:
        """Whether the key carries the scope, itself or by `admin`."""
        if scope in (EVERY_KEY, *self.scopes):
            return True
        return "admin" in self.scopes and scope not in NOT_IMPLIED_BY_ADMIN

    def needs(self, scope: str) -> None:
        """Raise MissingScope unless the key carries the scope."""
        if not self.may(scope):
            raise MissingScope(scope)


def hash_of(key: str) -> bytes:
    """What is stored of a key. The keys are 256 random bits, so one round of SHA-256 cannot be guessed back."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def authenticate(stored: Key | None, presented_hash: bytes, now: datetime) -> Caller:
    """The caller, or Unauthorized. The comparison takes the same time wherever the hashes differ."""
    if stored is None or not hmac.compare_digest(stored.hash, presented_hash):
        raise Unauthorized("The API key is not known.")
    if stored.revoked_at is not None:
        raise Unauthorized("The API key has been revoked.")
    if stored.expires_at is not None and stored.expires_at <= now:
        raise Unauthorized("The API key has expired.")
    return Caller(stored.id, stored.account_id, stored.scopes, stored.is_first_account)
