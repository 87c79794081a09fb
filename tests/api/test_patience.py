"""How long a list may stall on its way in before its place goes to somebody else."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request

from app.api import patience
from app.api.patience import PatientResponse, pieces_of


async def test_a_body_that_stalls_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "IDLE_SECONDS", 0.2)
    waits = iter([0.0, 0.05, 0.05, 60.0])

    async def receive() -> dict[str, object]:
        await asyncio.sleep(next(waits))
        return {"type": "http.request", "body": b"a line", "more_body": True}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    read: list[bytes] = []

    async def read_on() -> None:
        async for piece in pieces_of(request):
            read.append(piece)

    with pytest.raises(ClientDisconnect):
        await read_on()
    assert read == [b"a line"] * 3


async def test_an_answer_that_nobody_reads_is_broken_off_and_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "IDLE_SECONDS", 0.2)
    given_back = False

    async def lines() -> object:
        nonlocal given_back
        try:
            while True:
                yield b"a line"
        finally:
            given_back = True

    sent = 0

    async def send(_: object) -> None:
        nonlocal sent
        sent += 1
        if sent > 3:
            await asyncio.sleep(60)

    stream = lines()
    with pytest.raises(ClientDisconnect):
        await PatientResponse(stream).stream_response(send)  # type: ignore[arg-type]
    assert sent == 4
    await stream.aclose()  # type: ignore[attr-defined]
    assert given_back
