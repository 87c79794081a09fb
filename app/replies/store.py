"""Inbound messages that were taken as an opt-out, an opt-in or a call for help, with the words that were used."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message that asked to be left alone, to be back, or for help.

    ``carrier_message_id`` is what the ``carrier`` calls it, where its own webhook brought it.
    """

    id: uuid.UUID
    from_number: str
    to_number: str
    action: str  # opt_out, opt_in or help
    keyword: str | None
    words: str
    suppression_ids: Sequence[uuid.UUID]  # the entries that it made
    received_at: datetime
    carrier: str | None = None
    carrier_message_id: str | None = None


_OF_LINE = text(
    """
    SELECT id, from_number, to_number, action, keyword, words, suppression_ids, received_at FROM inbound_messages
     WHERE account_id = :account AND from_number = ANY (:numbers) ORDER BY received_at DESC, id DESC LIMIT :limit
    """
)
_ADD = text(
    """
    INSERT INTO inbound_messages (id, account_id, from_number, to_number, action, keyword, words, suppression_ids,
                                  received_at, key_id, carrier, carrier_message_id)
    VALUES (:id, :account, :from_number, :to_number, :action, :keyword, :words, CAST(:suppression_ids AS uuid[]),
            :received_at, :key, :carrier, :carrier_message_id)
        ON CONFLICT DO NOTHING
    """
)
_KNOWN = text(
    """
    SELECT 1 FROM inbound_messages
     WHERE account_id = :account AND carrier = :carrier AND carrier_message_id = :message
    """
)
_LIST = """
    SELECT id, from_number, to_number, action, keyword, words, suppression_ids, carrier, carrier_message_id,
           received_at
      FROM inbound_messages
     WHERE account_id = :account {filters}
     ORDER BY id {order} LIMIT :limit
"""
_FILTERS = {
    "from": "AND from_number = ANY (:from)",
    "action": "AND action = :action",
    "since": "AND id >= :since",
    "until": "AND id < :until",
}


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
            "carrier": message.carrier,
            "carrier_message_id": message.carrier_message_id,
        },
    )


async def is_known(connection: AsyncConnection, account_id: uuid.UUID, carrier: str, message_id: str) -> bool:
    """Whether the carrier brought this message before, and it was kept."""
    given = {"account": account_id, "carrier": carrier, "message": message_id}
    return (await connection.execute(_KNOWN, given)).first() is not None


async def page(
    connection: AsyncConnection,
    account_id: uuid.UUID,
    filters: Mapping[str, Any],
    *,
    beyond: uuid.UUID | None,
    ascending: bool,
    limit: int,
) -> list[Mapping[str, Any]]:
    """Messages in the order of their ids, which is that of time; ``filters`` are from, action, since and until.

    ``since`` and ``until`` are ids.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    chosen = " ".join(_FILTERS[name] for name in given)
    if beyond is not None:
        chosen += f" AND id {'>' if ascending else '<'} :beyond"
        given["beyond"] = beyond
    statement = text(_LIST.format(filters=chosen, order="ASC" if ascending else "DESC"))
    rows = await connection.execute(statement, {**given, "account": account_id, "limit": limit})
    return [dict(row._mapping) for row in rows]
