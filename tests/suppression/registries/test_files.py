"""Files of registries against a plain reading of the same lines, however the bytes are cut."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.suppression.registries.bitmaps import (
    BLOCK_NUMBERS,
    SPARSE_LIMIT,
    BlockPool,
    bits_of,
    blocks_of,
    common_numbers,
    offsets_of,
)
from app.suppression.registries.change_file import ChangeParser, ChangeSpool
from app.suppression.registries.registry_file import LINE_BYTES, LineSplitter, RegistryParser

GOOD = st.one_of(
    st.from_regex(r"[2-9][0-9]{2},[0-9]{7}", fullmatch=True),
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
)
# Near misses of every length, the lengths of good lines among them, and lines around the limit.
BAD = st.one_of(
    st.text(st.sampled_from("0123456789+,AD -"), max_size=18),
    st.integers(LINE_BYTES - 3, LINE_BYTES * 4).map(lambda length: "9" * length),
    st.sampled_from(
        ["1234567890", "+0234567890", "155,5551234", "415-5551234", "+123456", "+1234567890123456", "\xe9"]
    ),
)
FILES = st.lists(st.tuples(GOOD | BAD, st.sampled_from(["\n", "\r\n"])), max_size=30)


def plain_number(line: str) -> int | None:
    """What a line says, by the rule as it is written."""
    if flat := re.fullmatch(r"([2-9]\d\d),(\d{7})", line, re.ASCII):
        return int("1" + flat[1] + flat[2])
    return int(line) if re.fullmatch(r"\+[1-9]\d{6,14}", line, re.ASCII) else None


@given(FILES, st.booleans(), st.booleans(), st.integers(1, 700), st.integers(3, 700))
def test_any_file_in_any_pieces(
    lines: list[tuple[str, str]], mark: bool, closed: bool, chunk: int, line_batch: int
) -> None:
    data = "".join(line + end for line, end in lines).encode("latin-1")
    if not closed:
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    data = b"\xef\xbb\xbf" * mark + data
    cut, parser = LineSplitter(line_batch), RegistryParser(keep_rejects=1000)
    line_batches = [s for start in range(0, len(data), chunk) for s in cut.feed(data[start : start + chunk])]
    parsed = [parser.parse(line_batch) for line_batch in [*line_batches, *cut.end()]]
    wanted = [(place, line, plain_number(line)) for place, (line, _) in enumerate(lines, 1) if line]
    numbers = sorted(number for part in parsed for number in part.numbers.tolist())
    assert numbers == sorted(number for _, _, number in wanted if number is not None)
    rejects = [reject for part in parsed for reject in part.rejects]
    assert [reject.line for reject in rejects] == [place for place, _, number in wanted if number is None]
    assert sum(part.rejected for part in parsed) == len(rejects)
    assert sum(part.rows for part in parsed) == len(wanted)


@given(
    st.sets(st.integers(0, BLOCK_NUMBERS - 1)), st.sets(st.integers(0, BLOCK_NUMBERS - 1)), st.integers(1, 30)
)
def test_a_block_gives_back_its_offsets_in_either_form(one: set[int], other: set[int], times: int) -> None:
    # Multiplied, so that sets beyond the limit of the sparse form are met too.
    sets = [sorted({(n + i) % BLOCK_NUMBERS for n in some for i in range(times)}) for some in (one, other)]
    stored = [bits_of(np.array(some, np.int64)) for some in sets]
    for some, bits in zip(sets, stored, strict=True):
        assert offsets_of(bits).tolist() == some
        assert len(bits) == (2 * len(some) if len(some) <= SPARSE_LIMIT else 1250)
    assert common_numbers(*stored) == len(set(sets[0]) & set(sets[1]))


@given(
    st.lists(st.lists(st.integers(10_000_000, 10_090_000) | st.integers(10**14, 10**15 - 1))),
    st.integers(1, 9),
)
def test_a_pool_takes_what_it_has_room_for_and_hands_back_the_rest(parts: list[list[int]], room: int) -> None:
    pool, left = BlockPool(room), set()
    for part in parts:
        left.update(pool.add(np.array(part, np.int64)).tolist())
    kept = {
        block.block * BLOCK_NUMBERS + n for block in pool.blocks() for n in offsets_of(block.bits).tolist()
    }
    assert kept | left == {number for part in parts for number in part}
    assert not {number // BLOCK_NUMBERS for number in kept} & {number // BLOCK_NUMBERS for number in left}
    assert len(pool) == len({number // BLOCK_NUMBERS for number in kept}) <= room
    again = np.array(sorted(kept), np.int64)
    assert list(blocks_of(again)) == list(pool.blocks())


def test_changes_as_they_are_written() -> None:
    sent = (
        b"415,5551234,A\n415,5551235,D\r\n415,5551236,2026-11-20T08:15:00.000-05:00,A\n415,5551237,A,11/20/2026\n"
        b"+442071234567,D\n\n415,5551234\n415,5551234,X\n415,5551234,A,D\n415,5551234,a\n,A\n"
    )
    parsed = ChangeParser(keep_rejects=10).parse(sent)
    assert [(change >> 1, change & 1) for change in parsed.changes.tolist()] == [
        (14155551234, 1),
        (14155551235, 0),
        (14155551236, 1),
        (14155551237, 1),
        (442071234567, 0),
    ]
    assert (parsed.rows, parsed.rejected) == (10, 5)
    assert [reject.line for reject in parsed.rejects] == [7, 8, 9, 10, 11]


def test_the_last_change_of_a_number_counts() -> None:
    with ChangeSpool() as spool:
        for change in (14155551234 * 2 + 1, 14155551235 * 2, 14155551234 * 2, 14155551235 * 2 + 1):
            spool.add(np.array([change], np.int64))
        ((numbers, listed),) = spool.batches()
    assert numbers.tolist() == [14155551234, 14155551235]
    assert listed.tolist() == [False, True]
