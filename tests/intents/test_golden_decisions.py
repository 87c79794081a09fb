"""Thirty decisions as releases before recorded them: a year later they still read as they were answered.

`golden_decisions.ndjson` was written once, by the last commit before the house was turned (7c79841): each line has the
row as it stood in Postgres, and what GET /v1/intents/{id} answered of it. Nothing may change in it; what a release to
come records otherwise is added.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from app.accounts.store import insert_account
from app.intents.decision_answers import recorded
from app.intents.records import partitions
from app.intents.records import store as decision_records
from app.platform.http.problems import ProblemWriter, dump
from app.platform.postgres.database import Database
from tests.described import check_described

GOLDEN = [
    orjson.loads(line)
    for line in Path(__file__).with_name("golden_decisions.ndjson").read_text(encoding="utf-8").splitlines()
]
WRITER = ProblemWriter("https://api.trunx.io/errors", "http://127.0.0.1:8000")
_PUT = text(
    """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number,
                           from_number, purpose, campaign, document)
    VALUES (:id, :account_id, :key_id, :decided_at, :type, :verdict, :code, :codes, :to_number,
            :from_number, :purpose, :campaign, CAST(:document AS jsonb))
    """
)


def test_they_are_of_every_kind() -> None:
    rows = [golden["row"] for golden in GOLDEN]
    assert len(rows) == 30
    assert {row["type"] for row in rows} == {"call", "sms"}
    assert {row["purpose"] for row in rows} == {"marketing", "informational", "emergency"}
    assert {row["code"] for row in rows} == {
        None,
        "DNC_BLOCKED",
        "TCPA_BLOCKED",
        "FREQUENCY_CAPPED",
        "CONTENT_BLOCKED",
        "CHANNEL_BUDGET_EXCEEDED",
        "RATE_LIMITED",
    }
    assert any("lease" in row["document"] for row in rows)
    assert any("recipient" in row["document"] for row in rows)
    assert any(len(row["document"]["violations"]) > 1 for row in rows)


async def test_recorded_decisions_read_as_they_were_answered(database_url: str) -> None:
    database = Database(database_url, timeout_seconds=10, pool_size=1)
    try:
        account_id = uuid.uuid4()
        async with database.begin() as connection:
            first = datetime.fromisoformat(GOLDEN[0]["row"]["decided_at"])
            await partitions.make_ahead(connection, first)
            await insert_account(connection, account_id, "golden", first)
            for golden in GOLDEN:
                await connection.execute(_PUT, _columns(golden["row"], account_id))
        for golden in GOLDEN:
            found = await decision_records.fetch(database, account_id, uuid.UUID(golden["row"]["id"]))
            assert found is not None
            answered = dump(recorded(found, WRITER))
            assert orjson.loads(answered) == golden["answer"]
    finally:
        await database.close()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["row"]["to_number"]))
def test_the_description_of_a_decision_still_covers_it(golden: dict[str, Any]) -> None:
    path = f"/v1/intents/{golden['row']['id']}"
    check_described("GET", path, 200, "application/json", dump(golden["answer"]))


def _columns(row: dict[str, Any], account_id: uuid.UUID) -> dict[str, Any]:
    violations = [violation["slug"] for violation in row["document"]["violations"]]
    return {
        **row,
        "id": uuid.UUID(row["id"]),
        "account_id": account_id,
        "key_id": uuid.UUID(row["key_id"]),
        "decided_at": datetime.fromisoformat(row["decided_at"]),
        "codes": [slug.upper().replace("-", "_") for slug in dict.fromkeys(violations)],
        "document": orjson.dumps(row["document"]).decode(),
    }
