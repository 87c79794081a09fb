"""The key behind a person's session: one for each person, account and set of rights, which nobody can present."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from app.accounts.manage_keys import keep_person_key
from app.console.open_id.roles import Person
from app.intents.services import Services


def key_hash_of(secret: bytes, issuer: str, person: Person) -> bytes:
    """What the key is found by. It is the hash of nothing that anybody knows, so no request can carry the key."""
    parts = (issuer, person.subject, str(person.account_id), " ".join(sorted(person.scopes)))
    text = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hmac.digest(hashlib.sha256(b"person" + secret).digest(), text, "sha256")


async def keep_key(
    services: Services, secret: bytes, issuer: str, person: Person, now: datetime, until: datetime
) -> bytes:
    """Make the person's key, or let it last longer; its hash. Raises NotAllowed once it has been revoked."""
    key_hash = key_hash_of(secret, issuer, person)
    await keep_person_key(
        services.database,
        account_id=person.account_id,
        key_hash=key_hash,
        name=f"{person.name[:80]} through {issuer}"[:200],
        scopes=person.scopes,
        now=now,
        expires_at=until,
    )
    return key_hash
