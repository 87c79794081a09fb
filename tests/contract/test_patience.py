"""How slow a list may be on its way in or out before its place goes to somebody else."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from starlette.requests import ClientDisconnect, Request

from app.platform.http.stream_timeouts import PatientResponse, StreamPace, pieces_of
from app.platform.jobs.stream_places import Places
from app.platform.outcomes import CannotDecide, Crowded

SHORT = StreamPace(window_seconds=0.3, upload_bytes_per_second=100, reading_bytes_per_second=100)


def request_of(*pieces: tuple[float, bytes]) -> Request:
    """A request whose body comes so many seconds apart."""
    waiting = iter(pieces)

    async def receive() -> dict[str, object]:
        seconds, piece = next(waiting)
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": piece, "more_body": True}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


async def read_on(request: Request, pace: StreamPace = SHORT) -> list[bytes]:
    """What is read until it is broken off."""
    read: list[bytes] = []

    async def whole() -> None:
        async for piece in pieces_of(request, pace):
            read.append(piece)

    with pytest.raises(ClientDisconnect):
        await whole()
    return read


async def test_a_body_that_stalls_is_broken_off() -> None:
    pieces = [(0.0, b"a line"), (0.02, b"a line"), (0.02, b"a line"), (60.0, b"never")]
    assert await read_on(request_of(*pieces)) == [b"a line"] * 3


async def test_a_body_that_drips_is_broken_off_and_one_of_a_fair_rate_is_not() -> None:
    """A byte every tenth of a second is a tenth of the rate, so that it ends soon, though it is never silent."""
    dripped = await read_on(request_of(*[(0.1, b"x")] * 50))
    assert 2 <= len(dripped) <= 4
    fair = await read_on(request_of(*[(0.1, b"x" * 20)] * 10, (60.0, b"never")))
    assert len(fair) == 10


async def test_no_body_goes_on_for_ever() -> None:
    pace = StreamPace(window_seconds=60, longest_seconds=0.5)
    read = await read_on(request_of(*[(0.05, b"x" * 100_000)] * 100), pace)
    assert 2 <= len(read) <= 10


async def test_an_answer_that_nobody_reads_is_broken_off_and_gives_its_place_back() -> None:
    closed = False

    async def lines() -> object:
        nonlocal closed
        try:
            while True:
                yield b"a line"
        finally:
            closed = True

    sent = 0

    async def send(_: object) -> None:
        nonlocal sent
        sent += 1
        if sent > 3:
            await asyncio.sleep(60)

    async def receive() -> object:
        await asyncio.sleep(60)
        return {}

    places = Places("exports", 2, 1)
    account = uuid4()
    response = PatientResponse(lines(), None, "text/csv", place=places.take(account), pace=SHORT)  # type: ignore[arg-type]
    with pytest.raises(ClientDisconnect):
        await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)  # type: ignore[arg-type]
    assert sent == 4
    assert closed
    assert not places.taken


def test_an_account_has_no_more_than_its_share_of_the_places() -> None:
    places, mine, others, third = Places("exports", 3, 2), uuid4(), uuid4(), uuid4()
    one, two = places.take(mine), places.take(mine)
    with pytest.raises(Crowded):
        places.take(mine)
    three = places.take(others)
    with pytest.raises(CannotDecide):
        places.take(third)
    one.leave()
    one.leave()
    four = places.take(third)
    with pytest.raises(ValueError, match="broken"), two.until_failure():
        raise ValueError("broken")
    with places.take(mine).until_failure():
        pass  # and then nobody holds it
    assert places.taken == {others: 1, third: 1}
    three.leave()
    four.leave()
    assert not places.taken
