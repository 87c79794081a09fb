"""Every page of the console on millions of decisions: milliseconds an answer, and how much it weighs.

    python -m benchmarks.console [--decisions 1_000_000] [--turns 7] [--small]

A service with two accounts, its own Postgres and Valkey. The decisions of the last thirty days are made set by set in
the database, six of ten the first account's, with lists, consents and policies beside them, and counted as upkeep does
it. Then somebody of each account signs in and opens every page on the rail, and what these lead to, again and again.
Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import utc_now
from app.console.rail import RAIL
from app.intents.counts.count_decisions import recount_decisions
from app.intents.records.partitions import make_ahead
from app.platform.postgres.database import Database
from tests.console.person import Person, signed_in
from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import PATIENT, RunningService

MOST_MILLISECONDS, MOST_BYTES = 300.0, 200_000
DAYS, A_STRETCH = 30, 500_000
NUMBER = "+14155550188"
_DECISIONS = """
    INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, code, codes, to_number, from_number,
                           purpose, campaign, document)
    SELECT (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(each % 4096), 3, '0') || '8000'
            || lpad(to_hex(each), 12, '0'))::uuid,
           CASE WHEN each % 10 < 6 THEN '{first}' ELSE '{second}' END::uuid, '{first}', to_timestamp(ms / 1000.0),
           CASE WHEN each % 3 = 0 THEN 'sms' ELSE 'call' END,
           CASE WHEN code IS NULL THEN 'approved' ELSE 'blocked' END, code,
           CASE WHEN code IS NULL THEN '{{}}' ELSE ARRAY[code] END,
           '+1415' || lpad((each * 7919 % 100000)::text, 7, '0'), '+12125550100', 'marketing',
           'campaign ' || each % 60,
           jsonb_build_object('pool', 'pool-' || each % 20, 'violations', CASE WHEN code IS NULL THEN '[]'::jsonb
               ELSE jsonb_build_array(jsonb_build_object('slug', lower(replace(code, '_', '-')), 'code', code,
                   'guardrail', 'suppression', 'detail', 'It was refused.', 'members', '{{}}'::jsonb)) END,
               'versions', jsonb_build_object('law', repeat('0', 64), 'policy', '1', 'tzdata', '2026f'),
               'checks', jsonb_build_array(
               jsonb_build_object('guardrail', 'suppression', 'outcome', 'pass', 'registries', '[]'::jsonb),
               jsonb_build_object('guardrail', 'calling_window', 'outcome', 'pass', 'rules', ARRAY['house', 'US'],
                   'regions', ARRAY['US-CA'], 'timezones', ARRAY['America/Los_Angeles'])))
      FROM (SELECT each, {low} + each * {span} / {count} AS ms,
                   (ARRAY['DNC_BLOCKED', 'TCPA_BLOCKED', 'FREQUENCY_CAPPED', 'CONTENT_BLOCKED'])[each % 16 + 1] AS code
              FROM generate_series({begin}::bigint, {end}::bigint) AS each) AS made
"""
_LISTS = """
    INSERT INTO suppressions (account_id, number, channel, id, reason, source, created_at, updated_at)
    SELECT '{account}', '+1415' || lpad(each::text, 7, '0'), 'all', gen_random_uuid(), 'asked by letter', 'manual',
           now(), now() FROM generate_series(1, {count}) AS each ON CONFLICT DO NOTHING;
    INSERT INTO suppression_events (id, account_id, number, channel, action, reason, at)
    SELECT gen_random_uuid(), '{account}', '+1415' || lpad(each::text, 7, '0'), 'all', 'added', 'asked by letter', now()
      FROM generate_series(1, {count}) AS each;
    INSERT INTO consents (id, account_id, number, kind, channels, given_at, evidence, created_at)
    SELECT gen_random_uuid(), '{account}', '+1415' || lpad(each::text, 7, '0'), 'express_written',
           ARRAY['call', 'sms'], now(), '"form 7"', now() FROM generate_series(1, {count}) AS each
"""


async def decide(connection: AsyncConnection, first: str, second: str, decisions: int) -> None:
    """So many decisions of the two accounts, evenly over the last thirty days."""
    now = utc_now() - timedelta(seconds=30)
    low = int((now - timedelta(days=DAYS)).timestamp() * 1000)
    for begin in range(0, decisions, A_STRETCH):
        statement = _DECISIONS.format(
            first=first,
            second=second,
            low=low,
            span=DAYS * 86_400_000,
            count=decisions,
            begin=begin,
            end=min(begin + A_STRETCH, decisions) - 1,
        )
        await connection.exec_driver_sql(statement)
        await connection.commit()


async def fill(url: str, first: str, second: str, decisions: int) -> float:
    """Decisions, lists and consents, and everything counted; how many seconds the decisions took."""
    database = Database(url, timeout_seconds=60)
    try:
        async with database.bulk.begin() as connection:
            await make_ahead(connection, utc_now())
        async with database.bulk.connect() as connection:
            began = time.perf_counter()
            await decide(connection, first, second, decisions)
            seconds = time.perf_counter() - began
            for account in (first, second):
                for statement in _LISTS.format(account=account, count=decisions // 20).split(";"):
                    await connection.exec_driver_sql(statement)
            await connection.commit()
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("ANALYZE"))
        await recount_decisions(database)
    finally:
        await database.close()
    return seconds


def furnish(dialler: Dialler) -> list[str]:
    """What an account has besides; the pages of single things that are there then."""
    dialler.put(f"/v1/suppressions/{NUMBER}", {"reason": "asked by letter"})
    for each in range(20):
        dialler.pool(f"pool-{each}", 100)
        dialler.with_key("intents:read")
        dialler.put("/v1/policy", {"names": [f"Acme {each}"]})
    dialler.put("/v1/webhooks/crm", {"url": "https://example.com/hook", "events": ["opt_out.recorded"]})
    refused = dialler.call(to=NUMBER).json()["intent_id"]
    return [
        f"decisions/{refused}",
        *(f"numbers/%2B1415{each * 7919:07}" for each in (1, 7)),
        f"numbers/%2B{NUMBER[1:]}",
        "numbers?ending=0188",
        "today?span=day",
        "decisions?verdict=blocked&code=TCPA_BLOCKED",
        "decisions?to=*0188",
        "decisions?campaign=no+such+campaign",
        "where?type=sms",
        "where/US-CA",
        "pools/pool-7",
        "policy/versions/7",
        "law?region=US-CA&channel=call",
        "suppressions/imports",
        "webhooks/crm",
        "audit?subject=policy",
    ]


def opened(person: Person, path: str, turns: int) -> tuple[list[float], int]:
    """Milliseconds of each turn, shortest first, and the bytes of the page."""
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        answer = person.get(f"/console/{path}")
        if answer.status == 303:  # a filter is spelt out in the address first
            answer = person.get(answer.headers["location"])
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, (path, answer.status, answer.headers.get("location"))
    return sorted(taken), len(answer.body)


def measure(service: RunningService, accounts: list[Dialler], turns: int) -> bool:
    """Print the table; whether every page is within both bounds for the account for which it is slower."""
    people = [(signed_in(service, each.key), furnish(each)) for each in accounts]
    print("| page | median ms | longest ms | kilobytes |\n|---|---|---|---|", flush=True)
    slow = []
    places = [line.path for group in RAIL for line in group]
    for place, path in enumerate([*places, *people[0][1]]):
        found = []
        for person, further in people:
            asked = path if place < len(places) else further[place - len(places)]
            if asked != "accounts" or person is people[0][0]:
                found.append(opened(person, asked, turns))
        median, longest = max(each[turns // 2] for each, _ in found), max(each[-1] for each, _ in found)
        weight = max(size for _, size in found)
        single = path.partition("/")[0] in ("decisions", "numbers") and "/" in path
        named = f"{path.partition('/')[0]}/…" if single else path
        print(f"| {named} | {median:.0f} | {longest:.0f} | {weight / 1000:.0f} |", flush=True)
        if median > MOST_MILLISECONDS or weight >= MOST_BYTES:
            slow.append(path)
    print(f"over {MOST_MILLISECONDS:.0f} ms or {MOST_BYTES // 1000} kB: {', '.join(slow) or 'none'}")
    return not slow


def run(decisions: int, turns: int) -> bool:
    """Start the servers, fill, measure."""
    servers = Servers()
    try:
        url = servers.database_url(servers.fresh_database())
        # A person opens one page at a time; whoever measures opens them as fast as they come.
        settings = {"database_url": url, "redis_url": servers.redis_url, **PATIENT}
        with RunningService(settings) as service:
            operator, second = Dialler(service, service.key), new_account(service)
            first = next(
                each["id"]
                for each in operator.get("/v1/accounts").json()["items"]
                if each["id"] != second.account_id
            )
            seconds = asyncio.run(fill(url, first, second.account_id, decisions))
            print(f"{decisions:,} decisions of two accounts, made in {seconds:.0f} s", flush=True)
            return measure(service, [operator, second], turns)
    finally:
        servers.close()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="benchmarks.console", description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=7, help="times that each page is opened")
    parser.add_argument("--small", action="store_true", help="little of everything, to see that it runs")
    given = parser.parse_args()
    if given.small:
        given.decisions, given.turns = 20_000, 3
    held = run(given.decisions, given.turns)
    sys.exit(0 if held or given.small else 1)


if __name__ == "__main__":
    main()
