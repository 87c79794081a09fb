"""What decisions are made of and repeats: each part stored once by its digest, and never changed or removed.

A part that was seen stored may be gone again, when Postgres was restored to an older state while this process lived
on. So nothing is appended on the word of what a process remembers: app.intents.store looks for each part that a
decision names and does not bring, in the statement that appends it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.intents.parts.divide import PartMissing, digest_of, restore
from app.platform.postgres.database import Database

# Some thousand parts serve a busy account for a day; at half a kB each this is well under 20 MB.
_MOST_KNOWN = 20_000
_SINCE = text("SELECT decisions_divided_from FROM installation")
_FETCH = text(
    """
    SELECT p.account_id, p.digest, p.part
      FROM unnest(CAST(:accounts AS uuid[]), CAST(:digests AS uuid[])) AS wanted(account_id, digest)
      JOIN decision_parts p ON p.account_id = wanted.account_id AND p.digest = wanted.digest
    """
)
# What readers select beside a decision's columns, and give to ``documents_of``.
COLUMNS = "account_id, id, document::text, parts, filled"
PartKey = tuple[uuid.UUID, uuid.UUID]
# The member that a document has which cannot be put together: why.
UNREADABLE = "unreadable"


class StoredParts:
    """What this process knows of the parts that are stored: which it need not bring with a decision.

    ``since``: from when on decisions are divided; None until that was asked.
    """

    def __init__(self, since: datetime | None = None) -> None:
        self.since = since
        self._digests: dict[bytes, tuple[uuid.UUID, str]] = {}
        self._stored: set[PartKey] = set()

    async def ask(self, database: Database) -> None:
        """From when on decisions are divided: told once, and never changed. Raises PostgresUnavailable."""

        async def work(connection: AsyncConnection) -> datetime:
            told: datetime = (await connection.execute(_SINCE)).scalar_one()
            return told

        if self.since is None:
            self.since = await database.run(work, may_run_twice=True)

    def divides(self, at: datetime) -> bool:
        """Whether a decision of that instant is divided."""
        return self.since is not None and at >= self.since

    def digest(self, part: bytes) -> tuple[uuid.UUID, str]:
        """The part's digest, and how it is written."""
        known = self._digests.get(part)
        if known is None:
            if len(self._digests) >= _MOST_KNOWN:
                self._digests.clear()
            digest = digest_of(part)
            known = self._digests[part] = digest, str(digest)
        return known

    def __contains__(self, key: PartKey) -> bool:
        return key in self._stored

    def note(self, keys: Iterable[PartKey]) -> None:
        """These were stored by a statement that was committed."""
        self._stored.update(keys)
        if len(self._stored) > _MOST_KNOWN:
            self._stored.clear()

    def forget_all(self) -> None:
        """Something that was stored is not: Postgres is older than it was."""
        self._stored.clear()


class ReadParts:
    """Parts as they are read back, for as long as one reader wants them; each was held against its digest.

    ``whatever_is_missing``: a document that cannot be put together is what is left of it, with UNREADABLE.
    """

    def __init__(self, *, whatever_is_missing: bool = False) -> None:
        self._lenient = whatever_is_missing
        self._known: dict[PartKey, bytes] = {}

    async def documents(
        self, connection: AsyncConnection, rows: Sequence[Sequence[Any]]
    ) -> list[dict[str, Any]]:
        """The documents of rows of COLUMNS, in their order.

        Raises PartMissing when a part is not there, or is not what it was stored as.
        """
        await self.learn(connection, rows)
        return [self.document(*row) for row in rows]

    async def learn(self, connection: AsyncConnection, rows: Sequence[Sequence[Any]]) -> None:
        """Read the parts of these rows that are not known yet, as far as they are there."""
        wanted = {
            (account, digest) for account, _, _, parts, _ in rows for digest in parts or ()
        } - self._known.keys()
        if not wanted:
            return
        if len(self._known) + len(wanted) > _MOST_KNOWN:
            self._known.clear()
            wanted = {(account, digest) for account, _, _, parts, _ in rows for digest in parts or ()}
        accounts, digests = zip(*wanted, strict=True)
        given = {"accounts": list(accounts), "digests": list(digests)}
        for account, digest, part in await connection.execute(_FETCH, given):
            written = part.encode()
            if digest_of(written) == digest:
                self._known[account, digest] = written

    def document(
        self,
        account: uuid.UUID,
        decision_id: uuid.UUID,
        document: str,
        parts: Sequence[uuid.UUID] | None,
        filled: str | None,
    ) -> dict[str, Any]:
        """The document of one row of COLUMNS whose parts were learnt. Raises PartMissing."""
        own: dict[str, Any] = orjson.loads(document)
        if parts is None:
            return own
        try:
            found = [self._known[account, digest] for digest in parts]
            return restore(own, found, orjson.loads(filled or "[]"), decision_id)
        except (KeyError, PartMissing, orjson.JSONDecodeError) as error:
            why = "is missing or was changed" if isinstance(error, KeyError) else "does not fit the others"
            if not self._lenient:
                raise PartMissing(f"a part of decision {decision_id} {why}") from None
            names = [str(digest) for digest in parts]
            return {**own, UNREADABLE: f"a part {why}", "parts": names, "filled": filled}
