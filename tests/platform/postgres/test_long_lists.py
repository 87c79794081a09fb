"""Lists over long histories: a page looks through a bounded stretch, and paging on finds every row once, in order."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.ids import floor_id
from app.intents.records import store as decision_records
from app.platform.jobs.store import listed_jobs
from app.platform.postgres.bounded_pages import Page, Patience
from app.platform.postgres.database import Database
from app.suppression import store as suppressions

NOW = utc_now()  # decisions have partitions around today
MINE, OTHERS, KEY, OTHER_KEY = uuid4(), uuid4(), uuid4(), uuid4()
# So little is looked at for a page that a rare row is many pages away.
ONE_STRETCH = Patience(first_rows=7, most_rows=7, seconds=0.0)
HUNDREDTH = timedelta(seconds=36)
COUNT = 500


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A history of an account among others', in which few rows are like others."""
    database = Database(database_url)
    rows = []
    for place in range(COUNT):
        at = NOW - place * HUNDREDTH
        rows.append(
            {
                "id": UUID(int=floor_id(at).int + random.getrandbits(60)),
                "account": OTHERS if place % 3 == 0 else MINE,
                "key": OTHER_KEY if place % 97 == 1 else KEY,
                "at": at,
                "type": "sms" if place % 5 == 0 else "call",
                "verdict": "void" if place % 11 == 5 else "blocked" if place % 50 == 1 else "approved",
                "codes": ["DNC_BLOCKED", "TCPA_BLOCKED"] if place % 50 == 1 else [],
                "to": f"+1415555{place % 40:04d}",
                "sender": "22395" if place % 83 == 1 else "+12125550100",
                "purpose": "informational" if place % 71 == 1 else "marketing",
                "campaign": "rare" if place % 125 == 1 else "spring" if place % 2 else None,
                "document": f'{{"pool": "{"trunk-1" if place % 101 == 1 else "default"}"}}',
            }
        )
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO decisions (id, account_id, key_id, decided_at, type, verdict, codes, to_number,"
                " from_number, purpose, campaign, document) VALUES (:id, :account, :key, :at, :type, :verdict, :codes,"
                " :to, :sender, :purpose, :campaign, CAST(:document AS jsonb))"
            ),
            rows,
        )
        await connection.execute(
            text(
                "INSERT INTO suppressions (account_id, number, channel, id, source, created_at, updated_at, expires_at)"
                " SELECT CASE WHEN each % 3 = 0 THEN CAST(:others AS uuid) ELSE CAST(:mine AS uuid) END,"
                " '+1415555' || lpad(each::text, 4, '0'), CASE WHEN each % 89 = 1 THEN 'sms' ELSE 'all' END,"
                " gen_random_uuid(), CASE WHEN each % 121 = 1 THEN 'rare' ELSE 'import' END,"
                " now() - each * interval '1 second', now(), CASE WHEN each % 13 = 1 THEN now() - interval '1 day' END"
                " FROM generate_series(1, 500) AS each"
            ),
            {"mine": MINE, "others": OTHERS},
        )
        await connection.execute(
            text(
                "INSERT INTO jobs (id, account_id, kind, subject, status, created_at)"
                " SELECT gen_random_uuid(), CASE each % 3 WHEN 0 THEN CAST(:others AS uuid)"
                " WHEN 1 THEN CAST(:mine AS uuid) END,"
                " CASE WHEN each % 3 = 2 THEN 'registry_load' ELSE 'suppression_import' END,"
                " CASE WHEN each % 17 = 1 THEN 'rare' ELSE 'national' END, 'succeeded',"
                " now() - each / 4 * interval '1 second' FROM generate_series(1, 200) AS each"
            ),
            {"mine": MINE, "others": OTHERS},
        )
    yield database
    await database.close()


async def all_of(ask: Callable[[UUID | None], Awaitable[Page[Any]]], most: int) -> tuple[list[Any], int]:
    """The rows of all pages in their order, and how many pages there were."""
    rows: list[Any] = []
    behind, pages = None, 0
    while True:
        page = await ask(behind)
        assert len(page.rows) <= most
        rows, pages, behind = [*rows, *page.rows], pages + 1, page.next_id
        if behind is None:
            return rows, pages


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({}, "true"),
        ({"to": ("+14155550011",)}, "to_number = '+14155550011'"),
        ({"to": ("+14155550011",), "code": "TCPA_BLOCKED"}, "to_number = '+14155550011' AND cardinality(codes) > 0"),
        ({"to_prefix": "+1415555003"}, "to_number LIKE '+1415555003%'"),
        ({"to_ending": "17"}, "to_number LIKE '%17'"),
        ({"from": "22395"}, "from_number = '22395'"),
        ({"type": "sms"}, "type = 'sms'"),
        ({"verdict": "blocked"}, "verdict = 'blocked'"),
        ({"code": "TCPA_BLOCKED"}, "cardinality(codes) > 0"),
        ({"code": "CONTENT_BLOCKED"}, "false"),
        ({"campaign": "rare"}, "campaign = 'rare'"),
        ({"purpose": "informational"}, "purpose = 'informational'"),
        ({"pool": "trunk-1"}, "document ->> 'pool' = 'trunk-1'"),
        ({"key_id": OTHER_KEY}, f"key_id = '{OTHER_KEY}'"),
        ({"since": NOW - 200 * HUNDREDTH}, "decided_at >= :since"),
        ({"until": NOW - 200 * HUNDREDTH, "campaign": "rare"}, "decided_at < :until AND campaign = 'rare'"),
        ({"since": NOW - 9 * HUNDREDTH, "until": NOW - 3 * HUNDREDTH}, "decided_at >= :since AND decided_at < :until"),
    ],
    ids=lambda value: "+".join(value) or "none" if isinstance(value, dict) else "",
)  # fmt: skip
@pytest.mark.parametrize("limit", [1, 5, 500])
async def test_paging_on_finds_every_decision_once_newest_first(
    database: Database, filters: dict[str, Any], condition: str, limit: int
) -> None:
    bounds: dict[str, Any] = {name: filters[name] for name in filters.keys() & {"since", "until"}}
    async with database.begin() as connection:
        wanted = [
            str(row[0])
            for row in await connection.execute(
                text(
                    "SELECT id FROM decisions WHERE account_id = :mine AND verdict <> 'void'"
                    f" AND {condition} ORDER BY id DESC"
                ),
                {"mine": MINE, **bounds},
            )
        ]
    found, pages = await all_of(
        lambda behind: decision_records.page(
            database, MINE, filters=filters, behind=behind, limit=limit, patience=ONE_STRETCH
        ),
        limit,
    )
    assert [row["id"] for row in found] == wanted
    if not filters:
        assert pages >= COUNT * 2 / 3 / 7, "each page looks through no more than its stretch"
    unhurried, _ = await all_of(
        lambda behind: decision_records.page(database, MINE, filters=filters, behind=behind, limit=limit),
        limit,
    )
    assert [row["id"] for row in unhurried] == wanted


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        ({}, "true"),
        ({"source": "rare"}, "source = 'rare'"),
        ({"channel": "sms"}, "channel = 'sms'"),
        ({"prefix": "+14155550123"}, "number = '+14155550123'"),
        ({"prefix": "+44"}, "false"),
    ],
)
@pytest.mark.parametrize("limit", [1, 5, 500])
async def test_paging_on_finds_every_entry_once_oldest_first(
    database: Database, filters: dict[str, Any], condition: str, limit: int
) -> None:
    async with database.begin() as connection:
        rows = await connection.execute(
            text(
                "SELECT id FROM suppressions WHERE account_id = :mine AND expires_at IS NULL"
                f" AND {condition} ORDER BY id"
            ),
            {"mine": MINE},
        )
        wanted = [str(row[0]) for row in rows]

    async def ask(behind: UUID | None) -> Page[Any]:
        return await suppressions.page(
            database,
            MINE,
            filters=filters,
            behind=behind,
            limit=limit,
            now=NOW,
            patience=ONE_STRETCH,
        )

    found, _ = await all_of(ask, limit)
    assert [row["id"] for row in found] == wanted


@pytest.mark.parametrize("subject", [None, "rare"])
@pytest.mark.parametrize("account", [MINE, None])
async def test_paging_on_finds_every_job_once_newest_first(
    database: Database, account: UUID | None, subject: str | None
) -> None:
    def matches(row: Any) -> bool:
        return bool(row.account_id == account and subject in (None, row.subject))

    found: list[UUID] = []
    async with database.begin() as connection:
        rows = await connection.execute(
            text("SELECT id, account_id, subject FROM jobs ORDER BY created_at DESC, id DESC")
        )
        wanted = [row.id for row in rows if matches(row)]
        while True:
            before = found[-1] if found else None
            page = await listed_jobs(
                connection, ["suppression_import", "registry_load"], account, subject, before, 3
            )
            if not page:
                break
            found += [job.id for job in page]
    assert found == wanted
    assert len(found) >= 3


async def test_a_rare_filter_asked_often_does_not_spoil_the_look_up_by_number(database: Database) -> None:
    """After five times the server would choose one plan for all; the statement by number keeps its own."""
    for _ in range(12):
        await decision_records.page(database, MINE, filters={"code": "NO_SUCH"}, behind=None, limit=10)
    for number in range(12):
        filters = {"to": (f"+1415555{number:04d}",)}
        await decision_records.page(database, MINE, filters=filters, behind=None, limit=10)
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SHOW plan_cache_mode"))).scalar_one() == "auto"
        generic = await connection.execute(
            text(
                "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements"
                " WHERE statement LIKE '%FROM decisions%' AND parameter_types <> '{}'"
            )
        )
        assert tuple(generic.one()) == (0, 48), "two statements for each page"
