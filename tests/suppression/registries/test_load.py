"""Full loads and change lists against a plain Python set."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.suppression.lookup_store import Lookup, look_up
from app.suppression.registries.apply_changes import ChangesOutOfOrder, change_registry
from app.suppression.registries.load_version import load_registry
from tests.suppression.registries.lists import DAY, NOW, chunks_of, held, line_of, list_of, make_registry

NOBODY = UUID(int=0)  # an account without entries
# Few blocks and few offsets, so that numbers meet; other countries and the longest numbers among them.
BLOCKS = [1415555, 1415556, 1212999, 44207123, 4930, 99999999999, 68340]
NUMBERS = st.builds(
    lambda block, offset: block * 10_000 + offset,
    st.sampled_from(BLOCKS),
    st.one_of(st.integers(0, 9_999), st.sampled_from([0, 1, 127, 128, 255, 256, 9_999])),
)
RANGES = st.builds(
    lambda block, start, length, step: set(
        range(
            block * 10_000 + start, min(block * 10_000 + start + length * step, block * 10_000 + 10_000), step
        )
    ),
    st.sampled_from(BLOCKS),
    st.integers(0, 9_000),
    st.sampled_from([1, 479, 480, 481, 2_000]),
    st.integers(1, 3),
)
LISTS = st.builds(
    lambda some, spans: sorted(some.union(*spans)),
    st.sets(NUMBERS, min_size=1, max_size=40),
    st.lists(RANGES, max_size=2),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_loads_changes_and_lookups_agree_with_a_set(
    engine: AsyncEngine, tmp_path: Path, data: st.DataObject
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("TRUNCATE registries, registry_versions, registry_blocks, jobs CASCADE")
        )
    await make_registry(engine)
    await make_registry(engine, "state")
    model: dict[str, set[int]] = {"national": set(), "state": set()}
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(["national", "state"]))
        before = model[name]
        if not before or data.draw(st.booleans()):
            numbers = data.draw(st.permutations(data.draw(LISTS)))
            model[name] = set(numbers)
            end = data.draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
            job = await load_registry(
                engine,
                name,
                chunks_of(
                    list_of(numbers, flat=data.draw(st.booleans()), end=end), data.draw(st.integers(1, 5000))
                ),
                version_date=DAY,
                pool_blocks=data.draw(st.sampled_from([1, 3, 100])),
                spill_directory=tmp_path,
            )
            assert job.status == "succeeded", job.error
            assert (job.rows_read, job.added) == (len(numbers), len(model[name] - before))
            assert job.removed == len(before - model[name])
        else:
            changes = data.draw(
                st.lists(st.tuples(NUMBERS | st.sampled_from(sorted(before)), st.booleans()), max_size=30)
            )
            sent = "".join(f"{line_of(n, flat=True)},{'A' if add else 'D'}\n" for n, add in changes).encode()
            for number, add in changes:
                model[name] = model[name] | {number} if add else model[name] - {number}
            job = await change_registry(engine, name, chunks_of(sent), version_date=DAY)
            assert job.status == "succeeded", job.error
            assert (job.added, job.removed) == (len(model[name] - before), len(before - model[name]))
            again = await change_registry(engine, name, chunks_of(sent), version_date=DAY)
            assert (again.added, again.removed, again.unchanged) == (0, 0, len(changes))
        assert await held(engine, name) == model[name]
        asked = set(data.draw(st.lists(NUMBERS, max_size=30))) | set(sorted(model[name])[:50])
        async with engine.connect() as connection:
            found = await look_up(connection, NOBODY, [(f"+{number}",) for number in asked], NOW)
            count = await connection.execute(
                text(
                    "SELECT numbers, blocks FROM registry_versions v"
                    " JOIN registries r ON r.active_version_id = v.id WHERE r.name = :name"
                ),
                {"name": name},
            )
        assert {
            entry.number: {hit.registry for hit in entry.registry_hits}
            for entry in found.numbers
            if entry.registry_hits
        } == {
            f"+{number}": names
            for number in asked
            if (names := {name for name in model if number in model[name]})
        }
        assert count.one() == (len(model[name]), len({number // 10_000 for number in model[name]}))


async def test_change_list_in_the_wrong_order_is_refused(engine: AsyncEngine) -> None:
    await make_registry(engine)
    with pytest.raises(ChangesOutOfOrder, match="no full list"):
        await change_registry(engine, "national", chunks_of(b"415,5551234,A\n"), version_date=DAY)
    await load_registry(engine, "national", chunks_of(b"415,5551234\n"), version_date=DAY)
    later = DAY + timedelta(days=1)
    await change_registry(
        engine, "national", chunks_of(b"415,5551235,2026-11-21T08:00:00Z,A\n"), version_date=later
    )
    with pytest.raises(ChangesOutOfOrder, match="2026-11-21 already"):
        await change_registry(engine, "national", chunks_of(b"415,5551235,D\n"), version_date=DAY)
    assert await held(engine) == {14155551234, 14155551235}


async def test_rejects_change_nothing_unless_partial(engine: AsyncEngine) -> None:
    await make_registry(engine)
    await load_registry(engine, "national", chunks_of(b"415,5551234\n"), version_date=DAY)
    data = (
        b"\xef\xbb\xbf212,5550100\r\n\r\n212-5550101\n+1\n 212,5550102\n\xff\n"
        + b"9" * 5000
        + b"\n+442071234567"
    )
    lines = [(3, "212-5550101"), (4, "+1"), (5, " 212,5550102"), (6, "�"), (7, "9" * 100)]
    job = await load_registry(engine, "national", chunks_of(data), version_date=DAY)
    assert (job.status, job.rows_read, job.rejected) == ("failed", 7, 5)
    assert job.error is not None
    assert "5 lines were rejected" in job.error
    assert await held(engine) == {14155551234}
    async with engine.connect() as connection:
        rejects = await connection.execute(
            text("SELECT line, value, reason FROM job_rejects WHERE job_id = :id ORDER BY line"),
            {"id": job.id},
        )
        rows = rejects.all()
    assert [(row.line, row.value) for row in rows] == lines
    assert [row.reason for row in rows][2:] == [
        "has spaces around the number",
        "not valid UTF-8",
        "longer than 256 bytes",
    ]
    job = await load_registry(engine, "national", chunks_of(data), version_date=DAY, partial=True)
    assert (job.status, job.added, job.removed, job.rejected) == ("succeeded", 2, 1, 5)
    assert await held(engine) == {12125550100, 442071234567}


async def test_a_registry_goes_stale_the_day_after_its_last(engine: AsyncEngine) -> None:
    await make_registry(engine, "never", max_age_days=31)
    await make_registry(engine, "aged", max_age_days=31)
    await make_registry(engine, "ageless")
    for name in ("aged", "ageless"):
        await load_registry(engine, name, chunks_of(b"415,5551234\n"), version_date=DAY)
    last = NOW.replace(hour=23) + timedelta(days=30)  # DAY is the day before NOW
    async with engine.connect() as connection:
        before = await look_up(connection, NOBODY, [], last)
        after = await look_up(connection, NOBODY, [], last + timedelta(hours=1))
    assert too_old(before) == {"aged": False, "ageless": False}, "one that was never loaded is not in force"
    assert too_old(after) == {"aged": True, "ageless": False}
    assert (before.stale_registries, after.stale_registries) == ((), ("aged",))


def too_old(lookup: Lookup) -> dict[str, bool]:
    """Of the registries in force, which may not be relied on."""
    return {registry.name: registry.too_old for registry in lookup.registries}
