"""Export recorded decisions: a stream in constant memory, stretch by stretch."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.guardrail.refusals import BY_SLUG
from app.instants import rfc3339
from app.intents.records import store as decision_records
from app.platform.files.records import Format
from app.platform.files.spreadsheet import neutralised
from app.platform.written_json import written
from app.suppression.lists.list_format import csv_lines

COLUMNS = (
    "id",
    "decided_at",
    "type",
    "verdict",
    "code",
    "codes",
    "to",
    "from",
    "purpose",
    "campaign",
    "subject",
    "pool",
    "key_id",
    "policy",
)
_ROWS_AT_ONCE = 500


async def export_decisions(
    engine: AsyncEngine,
    account_id: UUID,
    format: Format,
    *,
    filters: Mapping[str, Any],
    order: Literal["asc", "desc"],
    show: Callable[[dict[str, Any]], dict[str, Any]],
) -> AsyncGenerator[bytes, None]:
    """The decisions that pass the filters: in CSV the columns, in NDJSON each as ``show`` makes it.

    A piece may be empty, where a stretch held none. ``code`` is the first reason of a refusal, ``codes`` are all of
    them, with blanks between; ``policy`` is the version of the policy that held.
    """
    # Nothing is said before Postgres has answered: a store that is away must be a 503, and no file that breaks off.
    header = csv_lines([COLUMNS]) if format == "csv" else b""
    pages = decision_records.pages(
        engine, account_id, filters=filters, order=order, rows_at_once=_ROWS_AT_ONCE
    )
    async with aclosing(pages):
        async for decisions in pages:
            if format == "csv":
                yield header + csv_lines(_cells(decision) for decision in decisions)
            else:
                yield b"".join(written(show(decision), orjson.OPT_APPEND_NEWLINE) for decision in decisions)
            header = b""


def _cells(decision: Mapping[str, Any]) -> Sequence[str]:
    codes = dict.fromkeys(BY_SLUG[violation["slug"]].code for violation in decision["violations"])
    return (
        decision["id"],
        rfc3339(decision["decided_at"]),
        decision["type"],
        decision["verdict"],
        decision["code"] or "",
        " ".join(codes),
        decision["to"],
        decision["from"],
        decision["purpose"],
        neutralised(decision["campaign"] or ""),
        neutralised(decision.get("subject") or ""),
        decision.get("pool") or "",
        decision["key_id"],
        decision["versions"].get("policy", ""),
    )
