"""Decisions of months that are in files are counted as those in Postgres are, and however often it begins anew."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.intents.archive import move_months
from app.intents.counts.count_decisions import recount_decisions
from app.intents.counts.read_counts import Period, read_counts
from app.intents.counts.store import SUBJECTS
from app.intents.records.partitions import month_start
from app.platform.outcomes import ArchiveUnavailable, Conflict
from tests.intents.test_archive import NOW, OLD, OLDER, Kept
from tests.intents.test_archive import kept as kept


async def statistics(kept: Kept) -> dict[str, Any]:
    """Every count of the account's, by every subject, of hours and of days."""
    period = Period(month_start(OLDER), month_start(NOW, 1))
    found: dict[str, Any] = {}
    for subject in SUBJECTS:
        for span in ("hour", "day"):
            read = await read_counts(kept.database, kept.account, period, span, subject)
            intervals = [(i.begins, i.decisions, sorted(i.groups, key=str)) for i in read.intervals]
            found[f"{subject} {span}"] = (read.decisions, [each for each in intervals if each[1]])
    return found


async def test_decisions_of_months_in_files_are_counted_however_often_it_begins_anew(kept: Kept) -> None:
    async with kept.database.begin() as connection:
        ids = {"void": [each.id for each in kept.decisions if each.verdict == "approved"][:5]}
        await connection.execute(text("UPDATE decisions SET verdict = 'void' WHERE id = ANY (:void)"), ids)
    before = await statistics(kept)  # nobody has counted yet: they are read from the table
    assert before["verdict day"][0] == len(kept.decisions) - 5
    for start in (OLDER, OLD):
        await kept.move(start)
        assert await statistics(kept) == before
    for _ in range(2):
        await recount_decisions(kept.database, step=50)
        assert await statistics(kept) == before


async def test_a_file_that_is_missing_keeps_the_counts_as_they_are(kept: Kept) -> None:
    await kept.move(OLDER)
    before = await statistics(kept)
    kept.file(OLDER).rename(kept.directory / "elsewhere")
    with pytest.raises(ArchiveUnavailable):
        await recount_decisions(kept.database)
    assert await statistics(kept) == before


async def test_a_month_stays_while_everything_is_counted_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def as_if_counted(engine: Any, to: Any) -> None:
        """As who looked before it began anew."""

    monkeypatch.setattr(move_months, "count_up_to", as_if_counted)
    with pytest.raises(Conflict, match="counted anew"):
        await kept.move(OLDER)
    assert len(await kept.listed()) == len(kept.decisions)
