"""An account's policy, for those who need it without deciding an intent."""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.policy_document import read_policy
from app.guardrail.facts import AccountPolicy
from app.platform.postgres.database import Database

_POLICY = text("SELECT policy, policy_version FROM accounts WHERE id = :account")


async def read_account_policy(database: Database, account_id: uuid.UUID) -> AccountPolicy:
    """The policy as it stands now. Raises PostgresUnavailable."""

    async def work(connection: AsyncConnection) -> AccountPolicy:
        row = (await connection.execute(_POLICY.columns(policy=JSONB), {"account": account_id})).one()
        return read_policy(row.policy, row.policy_version)

    return await database.run(work, may_run_twice=True)
