"""Write when the keys were last used, behind the answers."""

from __future__ import annotations

from app.accounts import store as accounts
from app.accounts.account_services import AccountServices


async def write_key_uses(services: AccountServices) -> None:
    """What this process has seen since it wrote last. Raises PostgresUnavailable, and then it is written later."""
    uses = dict(services.unwritten_uses)
    if not uses:
        return
    async with services.database.begin() as connection:
        await accounts.note_uses(connection, uses)
    for key_id, hour in uses.items():
        if services.unwritten_uses.get(key_id) == hour:
            del services.unwritten_uses[key_id]
