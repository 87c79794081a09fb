"""What a stored decision takes: bytes of row, of each index and of what is stored once, beside the plain form's.

    python -m benchmarks.storage [--decisions 40_000] [--accounts 4] [--url URL]

Decisions are made by the guardrails as they stand, a day of each account: seven of ten are calls, three are texts; one
of ten is on the account's list or in a registry, the rest is approved or refused by whatever the hour and the text
bring. They are appended by the statement that the service appends them with. What no decision of a real day lacks is
there: caps, registries of two kinds with their dates, campaigns, pools, keys. Without a URL a Postgres is started for
the run. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import random
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.store import insert_account
from app.capacity.semaphore import Admission
from app.guardrail.facts import (
    AccountPolicy,
    Attempt,
    Cap,
    Facts,
    Intent,
    RegistryHit,
    RegistryInForce,
    SuppressionEntry,
)
from app.ids import new_id
from app.intents import take_channel
from app.intents.decision_row import Decision
from app.intents.describe import describe_request
from app.intents.evaluate import evaluate_intent
from app.intents.parts.store import StoredParts
from app.intents.records.partitions import make_ahead, partition_name
from app.intents.services import RuleSet, load_rule_set
from app.intents.store import record
from app.platform.postgres.database import Database
from app.platform.postgres.migrate import migrate
from benchmarks.on_postgres import run_on_postgres, say

MOST_BYTES = 700.0
# Of the same decisions as the release before this stored them, each whole (measured by this at f3f4714).
WHOLE_BYTES = 2_173
DAY = datetime(
    2026, 11, 24, 15, tzinfo=UTC
)  # the hours from ten in the east to seven in the west, and a few beyond
HOURS = 12
TEXTS = (
    "Hi Anna, this is Riverside Dental. Your cleaning is on Tuesday at 2:30 PM with Dr. Lee. Reply C to confirm or R"
    " to reschedule. Reply STOP to end these messages.",
    "Riverside Dental: your appointment is tomorrow at 9:15 AM. Reply STOP to end these messages.",
    "Riverside Dental: your statement is ready. Call us at +12125550100 with any question. Reply STOP to opt out.",
    "FREE prize!!! You won a gift card, claim now at http://bit.ly/3xyzabc before midnight",
)
PLACES = (212, 213, 214, 215, 303, 305, 312, 313, 404, 407, 415, 503, 512, 602, 612, 617, 619, 702, 704, 713, 801, 804,
          808, 901, 913, 916, 973)  # fmt: skip
EXCHANGES = (223, 234, 321, 345, 432, 456, 567, 654, 678, 765, 789, 876, 897)
REGISTRIES = tuple(
    RegistryInForce(name, kind, None, dated, frozenset({"call", "sms"}), frozenset({"marketing"}))
    for name, kind, dated in (
        ("national-1", "national_dnc", "2026-11-20"),
        ("litigators", "litigator", "2026-11-23"),
    )
)
POLICY = AccountPolicy(
    version=7, caps=(Cap(3, 7 * 86_400, frozenset({"call"})),), names=("Riverside Dental",)
)


def decisions_of(
    rules: RuleSet, account: uuid.UUID, keys: Sequence[uuid.UUID], count: int, chance: random.Random
) -> list[Decision]:
    """A day of one account."""
    made = []
    for place in range(count):
        at = (
            DAY + timedelta(hours=HOURS) * place / count + timedelta(microseconds=chance.randrange(1_000_000))
        )
        intent = _intent(chance)
        judged = evaluate_intent(rules, intent, _facts(intent, at, chance), at)
        verdict, lease, decision_id = judged.verdict, None, new_id(at)
        if not verdict.blocked:
            expires = int((at + timedelta(seconds=intent.max_duration_seconds)).timestamp() * 1000)
            admitted = Admission(
                "admitted", None, expires_at_ms=expires, in_use=chance.randrange(100), capacity=100
            )
            verdict = verdict.with_result(take_channel.finding(intent, admitted, judged.caps))
            lease = take_channel.describe_lease(intent, decision_id, admitted)
        versions = {**rules.versions, "policy": str(POLICY.version)}
        made.append(
            Decision(
                id=decision_id,
                account_id=account,
                key_id=chance.choice(keys),
                decided_at=at,
                type=intent.type,
                verdict="blocked" if verdict.blocked else "approved",
                codes=verdict.codes,
                to_number=intent.to,
                from_number=intent.sender,
                purpose=intent.purpose,
                campaign=intent.campaign,
                document=describe_request(intent, verdict, lease, versions),
            )
        )
    return made


def _intent(chance: random.Random) -> Intent:
    to = f"+1{chance.choice(PLACES)}{chance.choice(EXCHANGES)}{chance.randrange(10_000):04}"
    campaign = f"autumn-{chance.randrange(6)}"
    if chance.random() < 0.7:
        pool = chance.choice(("default", "agents"))
        return Intent("call", to, "+12125550100", campaign=campaign, pool=pool)
    body = TEXTS[-1] if chance.random() < 0.05 else chance.choice(TEXTS[:-1])
    return Intent("sms", to, "+12125550100", purpose="informational", campaign=campaign, body=body)


def _facts(intent: Intent, at: datetime, chance: random.Random) -> Facts:
    lot = chance.random()
    return Facts(
        policy=POLICY,
        registries=REGISTRIES,
        registry_hits=tuple(
            RegistryHit(each.name, each.kind, each.region, each.version_date, each.applies_to, each.purposes)
            for each in REGISTRIES[:1]
            if lot < 0.06
        ),
        suppressions=(SuppressionEntry(intent.to, "all", "asked by letter", "manual", at - timedelta(days=90)),)
        if 0.06 <= lot < 0.1
        else (),
        attempts=tuple(Attempt("call", at - timedelta(days=1 + n), None, None) for n in range(chance.randrange(3))),
    )  # fmt: skip


async def append(database: Database, decisions: Sequence[Decision]) -> int:
    """All of them in the order of their ids, by as many a statement as a busy service has; bytes of WAL."""
    in_order = sorted(decisions, key=lambda decision: decision.id)
    async with database.bulk.begin() as connection:
        begun = (await connection.execute(text("SELECT pg_current_wal_insert_lsn()"))).scalar_one()
    parts = StoredParts(since=DAY)
    for at in range(0, len(in_order), 16):
        done = await record(database, in_order[at : at + 16], parts)
        assert all(each.appended for each in done)
    async with database.bulk.begin() as connection:
        moved = text("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), CAST(:begun AS pg_lsn))::bigint")
        return int((await connection.execute(moved, {"begun": begun})).scalar_one())


async def sizes(connection: AsyncConnection, partition: str) -> dict[str, int]:
    """Bytes of the partition's rows, of what was moved out of them, of each index, and of what is stored once."""
    found = {
        "row": await _bytes(connection, f"pg_relation_size('{partition}')"),
        "beside the row (TOAST)": await _bytes(
            connection,
            f"pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = '{partition}'::regclass",
        ),
    }
    indexes = text(
        "SELECT pg_get_indexdef(indexrelid), pg_relation_size(indexrelid) FROM pg_index"
        f" WHERE indrelid = '{partition}'::regclass ORDER BY indexrelid"
    )
    for definition, size in await connection.execute(indexes):
        found[f"index {definition[definition.rindex('(') :]}"] = int(size)
    if await _bytes(connection, "count(*) FROM pg_class WHERE relname = 'decision_parts'"):
        found["stored once"] = await _bytes(connection, "pg_total_relation_size('decision_parts')")
    return found


async def _bytes(connection: AsyncConnection, expression: str) -> int:
    return int((await connection.execute(text(f"SELECT {expression}"))).scalar_one())


async def run(url: str, arguments: argparse.Namespace) -> bool:
    """Fill, measure, print; whether a decision kept to the bound."""
    database, chance, rules = Database(url, timeout_seconds=30), random.Random(17), load_rule_set()
    await migrate(url)
    accounts = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(arguments.accounts)]
    async with database.bulk.begin() as connection:
        await make_ahead(connection, DAY)
        for account in accounts:
            await insert_account(connection, account, "measured", DAY)
    made: list[Decision] = []
    for account in accounts:
        keys = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(3)]
        made += decisions_of(rules, account, keys, arguments.decisions // len(accounts), chance)
    wal = await append(database, made)
    async with database.bulk.begin() as connection:
        found = await sizes(connection, partition_name(DAY))
    await database.close()
    counts = Counter((each.type, each.codes[0] if each.codes else "approved") for each in made)
    say(", ".join(f"{n / len(made):.0%} {kind} {code}" for (kind, code), n in counts.most_common()))
    say(f"{len(made):,} decisions of {len(accounts)} accounts; bytes a decision:")
    say("| what | bytes |\n|---|---|")
    for name, size in found.items():
        say(f"| {name} | {size / len(made):,.0f} |")
    total = sum(found.values()) / len(made)
    say(f"| **all** | **{total:,.0f}** |\n| WAL, with attempts | {wal / len(made):,.0f} |")
    say(f"wanted at most {MOST_BYTES:.0f}; {WHOLE_BYTES:,} when every decision was stored whole")
    return total <= MOST_BYTES or arguments.small


def main() -> None:
    """Read the arguments, start a Postgres unless there is one, run."""
    parser = argparse.ArgumentParser(prog="benchmarks.storage", description=__doc__)
    parser.add_argument("--decisions", type=int, default=40_000)
    parser.add_argument("--accounts", type=int, default=4)
    run_on_postgres(parser, run, decisions=2_000)


if __name__ == "__main__":
    main()
