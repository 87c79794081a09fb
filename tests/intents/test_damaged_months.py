"""A month's file that was changed is told as damaged, wherever that was."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from pathlib import Path

from app.intents.archive.month_file import ArchivedDecision, MonthFile, MonthWriter
from app.platform.outcomes import ArchiveUnavailable


def test_a_footer_that_was_changed_is_told_and_nothing_is_left_out_without_a_word(tmp_path: Path) -> None:
    account, key, at = uuid.UUID(int=5), uuid.UUID(int=7), datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        ArchivedDecision(
            account, uuid.UUID(int=(0x0198 << 112) + place), key, at, "call", "approved", None, [], "+14155550101",
            "+12125550100", "marketing", None, "default", '{"checks":[]}',
        )
        for place in range(40)
    ]  # fmt: skip
    path, changed = tmp_path / "month.parquet", tmp_path / "changed.parquet"
    with MonthWriter(path) as writer:
        writer.add(rows)
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    pick, told = random.Random(20261125), 0
    for place in range(len(whole) - footer, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << pick.randrange(8)
        changed.write_bytes(damaged)
        try:
            file = MonthFile(changed)
            try:
                assert [row for some in file.every_row() for row in some] == rows, place
                assert file.find(account, [rows[0].id, rows[39].id]) == [rows[0], rows[39]], place
            finally:
                file.close()
        except ArchiveUnavailable:
            told += 1
    assert told > 100
