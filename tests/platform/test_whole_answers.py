"""An answer goes out in one write; a stream's head is kept waiting for nothing; nothing that was held is lost."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from starlette.types import Message

from app.platform.server.at_once import receive_by
from app.platform.server.whole_answers import WholeAnswers

HEAD = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Written:
    """What reached the transport, write by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def written(*pieces: bytes, close: bool = False) -> list[bytes]:
    """The writes that become of these pieces."""
    transport = Written()
    answer = WholeAnswers(cast(asyncio.Transport, transport))
    for piece in pieces:
        answer.write(piece)
    if close:
        answer.close()
        assert answer.is_closing()
    return transport.writes


def test_a_head_goes_out_with_its_body() -> None:
    assert written(HEAD, b"{}") == [HEAD + b"{}"]


def test_an_empty_body_takes_its_head_along() -> None:
    assert written(HEAD, b"") == [HEAD]


def test_the_head_of_a_stream_is_not_kept_waiting() -> None:
    assert written(STREAM, b"1\r\nx\r\n") == [STREAM, b"1\r\nx\r\n"]


def test_leave_to_go_on_is_given_at_once_and_is_not_taken_for_the_head() -> None:
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert written(go_on, HEAD, b"{}") == [go_on, HEAD + b"{}"]


def test_a_body_that_looks_like_a_head_is_not_held() -> None:
    assert written(HEAD, b"H", HEAD) == [HEAD + b"H", HEAD]


def test_an_answer_that_breaks_off_after_its_head_still_sends_the_head() -> None:
    assert written(HEAD, close=True) == [HEAD]


async def _message(seconds: float) -> Message:
    if seconds:
        await asyncio.sleep(seconds)
    return {"type": "http.request", "body": b"x"}


@pytest.mark.parametrize("seconds", [0, 0.01], ids=["at once", "later"])
def test_a_message_comes_whole_whether_it_is_there_or_waited_for(seconds: float) -> None:
    async def work() -> Message:
        deadline = asyncio.get_running_loop().time() + 5
        return await receive_by(lambda: _message(seconds), deadline)

    assert asyncio.run(work())["body"] == b"x"


def test_a_message_that_does_not_come_in_time_is_not_waited_for() -> None:
    ended = []

    async def silent() -> Message:
        try:
            return await _message(60)
        finally:
            ended.append(True)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await receive_by(silent, asyncio.get_running_loop().time() + 0.02)

    asyncio.run(work())
    assert ended == [True]


def test_who_is_cancelled_while_it_waits_for_a_message_ends() -> None:
    async def work() -> None:
        task = asyncio.create_task(receive_by(lambda: _message(60), asyncio.get_running_loop().time() + 60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
