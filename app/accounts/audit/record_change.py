"""Write down a change where it is made: one call in its transaction, so that neither is without the other.

A secret is never written, whatever the caller hands over: see ``without_secrets``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.audit import store as audit
from app.accounts.audit.store import Change
from app.ids import new_id

COMMAND_LINE = "command line"
START = "start"  # what a service does by itself when it starts
OPERATOR = "operator"  # somebody of the installation, whose key is not the account's to see
ISSUER = "issuer"  # somebody who signed in through the issuer of OpenID Connect
_SECRET = re.compile(r"(^|_)(key|secret|password|token|hash)(es|s)?$", re.IGNORECASE)
NOT_KEPT = "(not kept)"


def actor_of(key_id: uuid.UUID | None) -> str:
    """Who it was: the key's id, or the command line, which has none."""
    return str(key_id) if key_id is not None and key_id.int else COMMAND_LINE


async def begin_change(connection: AsyncConnection, account_id: uuid.UUID | None, subject: str) -> None:
    """Be the only one that changes the subject until the transaction ends: what is read now is what was before."""
    await audit.hold(connection, f"audit/{account_id or ''}/{subject}")


async def record_change(
    connection: AsyncConnection,
    account_id: uuid.UUID | None,
    actor: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    now: datetime,
    action: str = "",
) -> None:
    """Write the change down. ``account_id`` None: it is the same for every account, and operators read it.

    ``subject`` is the kind and the name, as ``pool:default``; ``before`` None: it was made, ``after`` None: it was
    removed. What changes nothing is not written.
    """
    if before == after:
        return
    what = action or ("made" if before is None else "removed" if after is None else "changed")
    change = Change(
        id=new_id(now),
        account_id=account_id,
        at=now,
        actor=actor,
        subject=subject,
        action=what,
        before=without_secrets(before),
        after=without_secrets(after),
    )
    await audit.add(connection, change)


def without_secrets(value: Any, name: str = "") -> Any:
    """The value with every member whose name says that it is a secret taken out; yes and no may stay."""
    if _SECRET.search(name) and not (value is None or isinstance(value, bool)):
        return NOT_KEPT
    if isinstance(value, Mapping):
        return {str(key): without_secrets(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [without_secrets(each) for each in value]
    return value
