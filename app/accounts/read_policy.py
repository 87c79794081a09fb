"""An account's policy, for those who need it without deciding an intent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts import policy_store as policies
from app.accounts.authenticate import Caller
from app.accounts.policy_document import read_policy
from app.guardrail.facts import AccountPolicy
from app.platform.postgres.database import Database
from app.platform.stores import Stores

_POLICY = text("SELECT policy, policy_version FROM accounts WHERE id = :account")


async def read_account_policy(database: Database, account_id: uuid.UUID) -> AccountPolicy:
    """The policy as it stands now. Raises PostgresUnavailable."""

    async def work(connection: AsyncConnection) -> AccountPolicy:
        row = (await connection.execute(_POLICY.columns(policy=JSONB), {"account": account_id})).one()
        return read_policy(row.policy, row.policy_version)

    return await database.run(work, may_run_twice=True)


REPLIES = ("opt_out_reply", "opt_in_reply", "help_reply")

SECRET = "webhook_secret"  # noqa: S105  the member's name
CARRIERS = "carriers"


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """An account's policy as it is answered: ``replies`` has None where the built-in wording stands.

    ``carriers``: those whose webhooks are taken, and whether each answers people itself.
    """

    policy: AccountPolicy
    replies: Mapping[str, str | None]
    has_webhook_secret: bool
    carriers: Mapping[str, bool]

    def inbound(self) -> dict[str, Any]:
        """What is said of inbound messages: the replies, and of a secret only whether there is one."""
        carriers = {
            name: {"has_secret": True, "answers": answers} for name, answers in sorted(self.carriers.items())
        }
        told: dict[str, Any] = {**self.replies, "has_webhook_secret": self.has_webhook_secret}
        return {**told, CARRIERS: carriers} if carriers else told


async def current_policy(services: Stores, caller: Caller) -> PolicyInForce:
    """The policy of the caller's account."""
    async with services.database.begin() as connection:
        stored = await policies.fetch(connection, caller.account_id)
    return _in_force(read_policy(stored.policy, stored.version), stored.inbound)


def _in_force(policy: AccountPolicy, inbound: Mapping[str, Any]) -> PolicyInForce:
    carriers = {name: bool(kept.get("answers")) for name, kept in inbound.get(CARRIERS, {}).items()}
    return PolicyInForce(policy, {name: inbound.get(name) for name in REPLIES}, SECRET in inbound, carriers)
