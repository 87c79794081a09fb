"""Whose key it is, from Postgres at every request."""

from __future__ import annotations

from datetime import datetime

from app.accounts.account_services import AccountServices
from app.accounts.authenticate import Caller, authenticate
from app.platform.outcomes import CannotDecide
from app.platform.postgres.request_batcher import Overloaded


async def identify(services: AccountServices, key_hash: bytes, now: datetime) -> Caller:
    """Who the key belongs to, from Postgres at every request. Raises Unauthorized."""
    try:
        stored = await services.keys.ask(key_hash)
    except Overloaded:
        raise CannotDecide("too many requests are waiting", cause="busy") from None
    caller = authenticate(stored, key_hash, now)
    services.note_use(caller, now)
    return caller
