"""Put a person's consent on record, and end it."""

from __future__ import annotations

from typing import Any

from app.accounts.authenticate import Caller
from app.consents import store as consents
from app.consents.store import NewConsent
from app.ids import new_id
from app.instants import rfc3339
from app.numbering import spellings
from app.platform.outcomes import Conflict, FieldFault, NotFound, Unusable
from app.platform.stores import Stores


async def record_consent(
    services: Stores, caller: Caller, consent: NewConsent
) -> tuple[bool, dict[str, Any]]:
    """Put the consent on record in place of the one before it; answers whether it is the first, and the consent.

    Putting the same again changes nothing. A consent that was given before the person's last opt-out, or before the
    last time that one was withdrawn, was ended by that, so it cannot come back: that raises Conflict.
    """
    now, line = services.now(), spellings(consent.number)
    faults = []
    if consent.given_at > now:
        faults.append(FieldFault("given_at", "must not be in the future", "/given_at"))
    if consent.expires_at is not None and consent.expires_at <= max(now, consent.given_at):
        faults.append(FieldFault("expires_at", "must be in the future", "/expires_at"))
    if faults:
        raise Unusable(faults)
    async with services.database.begin() as connection:
        await consents.begin_recording(connection, caller.account_id, line[0])
        opted_out = await consents.last_opt_out(connection, caller.account_id, line)
        if opted_out is not None and opted_out >= consent.given_at:
            raise Conflict(
                f"The person opted out at {rfc3339(opted_out)}, which ended every consent given until then.",
                {"opted_out_at": rfc3339(opted_out)},
            )
        withdrawn = await consents.last_withdrawal(connection, caller.account_id, line)
        if withdrawn is not None and withdrawn >= consent.given_at:
            raise Conflict(
                f"The consent was withdrawn at {rfc3339(withdrawn)}, which ended every one given until then."
            )
        before = await consents.current(connection, caller.account_id, line)
        if before is not None and _same(before, consent):
            await consents.keep(connection, caller.account_id, line)
            return False, before
        await consents.end(connection, caller.account_id, line, "replaced", now)
        stored = await consents.add(
            connection,
            caller.account_id,
            consent,
            consent_id=new_id(now),
            key_id=caller.key_id,
            now=now,
        )
    return before is None, stored


async def withdraw_consent(services: Stores, caller: Caller, number: str) -> None:
    """End the consent on record. Raises NotFound when there is none."""
    line = spellings(number)
    async with services.database.begin() as connection:
        await consents.begin_recording(connection, caller.account_id, line[0])
        if not await consents.end(connection, caller.account_id, line, "withdrawn", services.now()):
            raise NotFound(f"There is no consent on record for {number}.")


def _same(stored: dict[str, Any], wanted: NewConsent) -> bool:
    return all(
        stored[name] == getattr(wanted, name)
        for name in ("kind", "given_at", "expires_at", "evidence", "text_version")
    ) and (set(stored["channels"]) == set(wanted.channels))
