"""How fast records are sealed, held against their seals, and handed out with their proofs.

    python -m benchmarks.evidence [--records 1_000_000] [--small] [--url URL]

One account's hour: nine decisions of ten, each as long as a decision of a call is, and one line of a suppression's
history of ten. Without a URL a Postgres is started for the run. Then one decision is changed by a bit, one is removed
and one is added, and what the check says of it is printed. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text

from app.clock import utc_now
from app.evidence.bundle.verify_bundle import verify_bundle
from app.evidence.bundle.write_bundle import Asked, evidence_of
from app.evidence.check_seals import check_account
from app.evidence.proof.signing import make_key
from app.evidence.public_keys import stored_keys
from app.evidence.sealing.seal_hours import hour_of, seal_due
from app.evidence.sealing.seal_key_file import SealKeyFile
from app.ids import floor_id
from app.intents.records import partitions
from app.platform.embedded import Embedded
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import migrate

_CHECKS: list[dict[str, Any]] = [
    {"guardrail": "suppression", "outcome": "pass", "registries": []},
    {"guardrail": "consent", "outcome": "skip"},
    {
        "guardrail": "calling_window",
        "outcome": "pass",
        "rules": ["house", "US", "US-CA"],
        "regions": ["US-CA"],
        "timezones": ["America/Los_Angeles"],
        "local_times": ["2026-11-24T13:51:53-08:00"],
        "closes_at": "2026-11-25T05:00:00Z",
    },
    {"guardrail": "frequency", "outcome": "pass", "caps": []},
    {"guardrail": "content", "outcome": "skip"},
    {"guardrail": "channel", "outcome": "pass"},
]
DOCUMENT = {
    "checks": _CHECKS,
    "violations": [],
    "versions": {"law": "0" * 64, "policy": "1", "tzdata": "2026f", "content": "2026.11.3+cc88caa6d096"},
    "pool": "default",
    "max_duration": 3600,
    "voice_type": "live",
}
_DECISIONS = text(
    """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, codes, to_number, from_number, purpose,
                           document)
    SELECT (lpad(to_hex(CAST(:first_ms AS bigint) + n / CAST(:a_ms AS bigint)), 12, '0') || '7'
            || lpad(to_hex(n), 19, '0'))::uuid, :account,
           :account, :at, 'call', 'approved', '{}', '+1415' || lpad((n % 10000000)::text, 7, '0'), '+12125550100',
           'marketing', CAST(:document AS jsonb)
      FROM generate_series(1, :count) AS n
    """
)
_EVENTS = text(
    """
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, at)
    SELECT gen_random_uuid(), :account, '+1415' || lpad(n::text, 7, '0'), 'all', 'added', 'asked by letter', :at
      FROM generate_series(1, :count) AS n
    """
)


async def fill(database: Database, account: uuid.UUID, records: int) -> None:
    """An hour of so many records, four days ago, when sealing began."""
    start = hour_of(utc_now() - timedelta(days=4))
    decisions = records - records // 10
    given = {"account": account, "at": start + timedelta(minutes=1)}
    async with database.bulk.begin() as connection:
        await partitions.make_ahead(connection, await partitions.server_now(connection))
        await connection.execute(
            text("INSERT INTO accounts (id, name, created_at) VALUES (:id, 'measured', now())"),
            {"id": account},
        )
        await connection.execute(
            _DECISIONS,
            {
                **given,
                "count": decisions,
                "first_ms": floor_id(start).int >> 80,
                "a_ms": decisions // 3_500_000 + 1,
                "document": orjson.dumps(DOCUMENT).decode(),
            },
        )
        await connection.execute(_EVENTS, {**given, "count": records // 10})
        await connection.execute(text("UPDATE seal_queue SET at = :at"), {"at": start})
        await connection.execute(
            text("UPDATE seal_progress SET since = :at, sealed_until = :at"), {"at": start}
        )
    async with database.bulk.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE decisions, suppression_events"))


async def tamper(database: Database, account: uuid.UUID) -> list[str]:
    """One bit changed, one record removed, one added; what should be named."""
    pick = "(SELECT id FROM decisions WHERE account_id = :account ORDER BY id OFFSET :at LIMIT 1)"
    named = []
    async with database.bulk.begin() as connection:
        for place, statement in enumerate(
            (
                f"UPDATE decisions SET decided_at = decided_at + interval '1 microsecond' WHERE id = {pick}",
                f"DELETE FROM decisions WHERE id = {pick}",
                "INSERT INTO decisions SELECT (overlay(id::text placing '9' from 20))::uuid, account_id, key_id,"
                " decided_at, type, verdict, code, codes, to_number, from_number, purpose, campaign, document"
                f" FROM decisions WHERE id = {pick}",
            )
        ):
            rows = await connection.execute(
                text(statement + " RETURNING id"), {"account": account, "at": 100 + 16 * place}
            )
            named.append(str(rows.scalar_one()))
    return named


async def measure(url: str, records: int, directory: Path) -> None:
    """Print the figures as a table."""
    await migrate(url)
    database = Database(url, timeout_seconds=30, pool_size=2)
    account = uuid.uuid4()
    await fill(database, account, records)
    key = SealKeyFile(directory / "seal-key.pem", True)
    make_key(key.path)
    print("| of one account's hour | |\n|---|---|")

    def say(name: str, figure: str) -> None:
        print(f"| {name} | {figure} |", flush=True)

    say("records", f"{records:,}")
    started, worked = time.perf_counter(), time.process_time()
    await seal_due(database.bulk, key.read)
    say("seconds to seal them", f"{time.perf_counter() - started:.1f}")
    say("of them processor time of the worker", f"{time.process_time() - worked:.1f}")
    async with database.bulk.connect() as connection:
        size = (await connection.execute(text("SELECT pg_total_relation_size('seal_leaves')"))).scalar_one()
        keys = await stored_keys(connection)
    say("bytes kept a record", f"{size / records:.0f}")
    retained = utc_now() - timedelta(days=365)
    started = time.perf_counter()
    found = await check_account(database.bulk, account, keys, retained)
    say("seconds to hold them against their seals", f"{time.perf_counter() - started:.1f}")
    assert not found.wrong, found.wrong[:3]
    assert found.records == records
    now, path = utc_now(), directory / "evidence.zip"
    asked = Asked(account, "+14150000017", ("+14150000017",), now - timedelta(days=30), now)
    started = time.perf_counter()
    with path.open("wb") as file:
        async for piece in evidence_of(database.bulk, asked, key, now):
            file.write(piece)
    say("seconds of one number's evidence", f"{time.perf_counter() - started:.2f}")
    started = time.perf_counter()
    verified = verify_bundle(path)
    say("seconds to verify it", f"{time.perf_counter() - started:.2f}")
    assert not verified.wrong, verified.wrong
    assert verified.proved == verified.records >= 1
    touched = await tamper(database, account)
    found = await check_account(database.bulk, account, keys, retained)
    told = [wrong.partition(":")[0] for wrong in found.wrong]
    assert sorted(told) == ["added", "changed", "missing"], found.wrong
    assert all(any(each in wrong for wrong in found.wrong) for each in touched)
    say("named of one changed, one removed, one added", ", ".join(told))
    await database.close()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--url")
    given = parser.parse_args()
    records = 20_000 if given.small else given.records
    with tempfile.TemporaryDirectory(prefix="callgate-evidence-") as name:
        if given.url:
            asyncio.run(measure(given.url, records, Path(name)))
            return
        servers = Embedded.start(Path(name) / "data", redis=False)
        try:
            asyncio.run(measure(servers.database_url, records, Path(name)))
        finally:
            servers.stop()


if __name__ == "__main__":
    main()
