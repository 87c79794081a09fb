"""A message that may be waited for until an instant, without a clock being set for one that has come already.

Nearly every body comes in one packet with its head. Setting an alarm for it, and taking it back, costs more than
reading it.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator
from typing import Any

from starlette.types import Message, Receive


async def receive_by(receive: Receive, deadline: float) -> Message:
    """The next message, by that instant of the event loop's clock. Raises TimeoutError."""
    coming = receive().__await__()
    try:
        awaited = next(coming)
    except StopIteration as come:
        message: Message = come.value
        return message
    async with asyncio.timeout_at(deadline):
        return await _going_on(coming, awaited)


@types.coroutine
def _going_on(coming: Generator[Any, Any, Message], awaited: Any) -> Generator[Any, Any, Message]:
    """What a coroutine answers that has begun, and waits for ``awaited``."""
    try:
        yield awaited
    except BaseException as error:
        try:
            awaited = coming.throw(error)
        except StopIteration as come:
            message: Message = come.value
            return message
        return (yield from _going_on(coming, awaited))
    return (yield from coming)
