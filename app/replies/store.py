"""Inbound messages that were taken as an opt-out or an opt-in, with the words that were used."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message that changed whether a person may be contacted."""

    id: uuid.UUID
    from_number: str
    to_number: str
    action: str  # opt_out or opt_in
    keyword: str | None
    words: str
    suppression_ids: Sequence[uuid.UUID]  # the entries that it made
    received_at: datetime


_OF_LINE = text(
    """
    SELECT id, from_number, to_number, action, keyword, words, suppression_ids, received_at FROM inbound_messages
     WHERE account_id = :account AND from_number = ANY (:numbers) ORDER BY received_at DESC, id DESC LIMIT :limit
    """
)
_ADD = text(
    """
    INSERT INTO inbound_messages (id, account_id, from_number, to_number, action, keyword, words, suppression_ids,
                                  received_at, key_id)
    VALUES (:id, :account, :from_number, :to_number, :action, :keyword, :words, CAST(:suppression_ids AS uuid[]),
            :received_at, :key)
    """
)


async def of_line(
    connection: AsyncConnection, account_id: uuid.UUID, numbers: Sequence[str], limit: int
) -> list[InboundMessage]:
    """What was taken in from the line, newest first."""
    given = {"account": account_id, "numbers": list(numbers), "limit": limit}
    return [InboundMessage(*row) for row in await connection.execute(_OF_LINE, given)]


async def add(
    connection: AsyncConnection, account_id: uuid.UUID, message: InboundMessage, key_id: uuid.UUID
) -> None:
    """Keep the message."""
    await connection.execute(
        _ADD,
        {
            "id": message.id,
            "account": account_id,
            "from_number": message.from_number,
            "to_number": message.to_number,
            "action": message.action,
            "keyword": message.keyword,
            "words": message.words,
            "suppression_ids": list(message.suppression_ids),
            "received_at": message.received_at,
            "key": key_id,
        },
    )
