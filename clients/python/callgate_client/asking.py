"""One question until it is answered: the same key over every try, Retry-After obeyed, within the caller's patience."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from callgate_client.errors import Faulty, NotApproved, Refused, Unavailable
from callgate_client.reading import Answer, Garbled, problem_of

T = TypeVar("T")
LARGEST_ANSWER = 4 * 1024 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0
_PASSING = frozenset({429, 500, 502, 503, 504})
_CRASHES = 3
# Checked here, since what refuses a header further down says the whole of it.
_KEY = re.compile("cg_[!-~]+")


def check_key(key: str) -> None:
    """Raises ValueError, which does not show it, for what is no key."""
    if not _KEY.fullmatch(key):
        raise ValueError("a key begins with cg_ and has no space or line end in or about it")


class Asker:
    """One key on one Callgate. ``timeout`` seconds are what a single try may take, from the first byte to the last."""

    def __init__(
        self, url: str, key: str, timeout: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        check_key(key)
        self.timeout = timeout
        self.http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(timeout),
            # The loop that waits bounds them; a limit here would make a hundred and first caller wait unseen.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            transport=transport,
            follow_redirects=False,
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[Answer], T],
        *,
        patience: float,
        key: str | None = None,
    ) -> T:
        """What ``read`` makes of the answer; it raises Garbled for one that is not the wanted.

        No try is begun later than ``patience`` seconds after the first, and none lasts longer than the timeout.
        Raises Refused, Faulty or Unavailable.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        headers = {"Idempotency-Key": f'"{key}"'} if key else {}
        pause, crashes = 0.0, 0
        while True:
            left = max(patience, self.timeout) - (clock() - started)
            try:
                answer = await self._once(method, path, body, headers, min(self.timeout, max(left, 0.05)))
                return read(answer)
            except (httpx.HTTPError, httpx.StreamError, OSError, TimeoutError) as error:
                # Decided or not? Under the same key the question may safely be asked again, the first time at once.
                failure: NotApproved = Unavailable(f"no answer: {type(error).__name__} {error}".rstrip())
                wait, pause = pause, min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            except Garbled as garbled:
                failure, again = _judged(answer, garbled, keyed=key is not None)
                if answer.status == 500:
                    crashes += 1
                if not again or crashes > _CRASHES:
                    raise failure from None
                pause = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
                wait = answer.retry_after if answer.retry_after is not None else pause
                wait = max(wait, 2.0 ** (crashes - 1) if crashes else 0.0)
            if clock() - started + wait > patience:
                raise failure from None
            await asyncio.sleep(wait)

    async def _once(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Answer:
        """One try, over in ``seconds`` however slowly its bytes come."""
        async with asyncio.timeout(seconds):
            asked = self.http.build_request(method, path, json=body, headers=dict(headers))
            response = await self.http.send(asked, stream=True)
            try:
                got = bytearray()
                async for piece in response.aiter_raw():
                    got += piece
                    if len(got) > LARGEST_ANSWER:
                        raise httpx.DecodingError("an answer without an end")
            finally:
                await response.aclose()
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(got))


def _judged(answer: Answer, garbled: Garbled, *, keyed: bool) -> tuple[NotApproved, bool]:
    """What the answer means for the caller, and whether the same question may be answered otherwise in a while."""
    problem = problem_of(answer)
    if problem is None:
        # No document of ours. What a proxy says of itself passes; a redirect, a page or another service does not.
        return Unavailable(str(garbled)), answer.status in _PASSING or answer.status == 201
    if answer.status in (500, 503):
        return Unavailable(f"{problem['code']}: {problem['detail']}"), True
    if answer.status == 429:
        return Refused(problem), True
    if answer.status == 409 and keyed:  # the first try under this key is still running
        return Unavailable(f"{problem['code']}: {problem['detail']}"), True
    return (Refused if problem.get("violations") else Faulty)(problem), False
