"""A business to look at: thirty days of its decisions, busy by day and quiet by night, and what lies beside them."""

from __future__ import annotations

from sqlalchemy import text

from app.clock import utc_now
from app.intents.counts.count_decisions import recount_decisions
from app.intents.records.partitions import make_ahead
from app.platform.postgres.database import Database
from tests.contract.dialler import Dialler
from tests.servers import run_apart

NUMBER = "+14155550188"
TEXT = "Cheap viagra today only, no prescription! Call (415) 555-0188 or reply STOP to end."
_DECISIONS = """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number, from_number,
                           purpose, campaign, document)
    SELECT (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(each % 4096), 3, '0') || '8000'
            || lpad(to_hex(each), 12, '0'))::uuid, :account, :account, to_timestamp(ms / 1000.0),
           CASE WHEN each % 3 = 0 THEN 'sms' ELSE 'call' END,
           CASE WHEN code IS NULL THEN 'approved' ELSE 'blocked' END, code,
           CASE WHEN code IS NULL THEN '{}' ELSE ARRAY[code] END,
           '+1415' || lpad((each * 7919 % 10000000)::text, 7, '0'), '+12125550100', 'marketing', 'spring',
           jsonb_build_object('pool', 'default', 'checks', '[]'::jsonb, 'violations', '[]'::jsonb)
      FROM (SELECT each, (ARRAY['DNC_BLOCKED', 'TCPA_BLOCKED', 'DNC_BLOCKED', 'FREQUENCY_CAPPED', 'CONSENT_REQUIRED',
                                'CONTENT_BLOCKED', 'DNC_BLOCKED', 'TCPA_BLOCKED', 'CHANNEL_BUDGET_EXCEEDED'])
                   [each * 31 % 37 + 1] AS code,
                   (:low + 86400000 * (days - sin(2 * pi() * (days + 0.35)) / 10))::bigint AS ms
              FROM (SELECT each, 30.0 * each / CAST(:count AS bigint) AS days
                      FROM generate_series(0::bigint, CAST(:count AS bigint) - 1) AS each) AS placed) AS made
"""


def furnish(dialler: Dialler, database_url: str, decisions: int) -> None:
    """Give the account so many decisions of thirty days, counted, a policy, a pool, and a number with a past."""
    run_apart(_decide(database_url, dialler.account_id, decisions))
    dialler.put("/v1/policy", {"names": ["Harbor Dental"]})
    dialler.put(
        "/v1/policy", {"names": ["Harbor Dental"], "callers": ["+12125550100"], "comment": "as counsel asked"}
    )
    dialler.pool("denver", 120)
    given = {"kind": "express_written", "channels": ["call", "sms"], "given_at": "2026-03-02T10:00:00Z"}
    dialler.put(f"/v1/consents/%2B{NUMBER[1:]}", {**given, "evidence": "form 7"})
    dialler.put(f"/v1/suppressions/%2B{NUMBER[1:]}", {"reason": "asked by letter, handed to Ms Ruiz"})
    assert dialler.call(to=NUMBER, campaign="spring").status == 403


async def _decide(url: str, account: str, count: int) -> None:
    database = Database(url, timeout_seconds=30)
    try:
        async with database.bulk.begin() as connection:
            now = utc_now()
            await make_ahead(connection, now)
            low = int(now.timestamp() * 1000) - 30 * 86_400_000 - 120_000
            await connection.execute(text(_DECISIONS), {"account": account, "count": count, "low": low})
        await recount_decisions(database)
    finally:
        await database.close()
