"""Bodies as RFC 7493 (I-JSON) wants them: what two readers could understand differently is refused.

Python's own reader takes UTF-16, NaN and lone surrogates, and of a member that is named twice it keeps the last
without a word, so that the safeguard which the caller put first would be dropped in silence. Forms are read here too.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from fastapi import Request
from starlette.datastructures import FormData

from app.platform.http.problems import Problem


class DuplicateMember(json.JSONDecodeError):
    """An object names a member twice. A kind of the framework's own error, so that it comes out as a fault."""

    def __init__(self, name: str) -> None:
        super().__init__(f"must not name the member {name!r} twice", "", 0)


class StrictRequest(Request):
    """A request whose body is read strictly."""

    def came_whole(self, body: bytes) -> None:
        """The whole body was received already, in one message."""
        self._body = body

    async def json(self) -> Any:
        """The body as JSON. Raises json.JSONDecodeError."""
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json


async def strict_form(request: Request, *, files: int, fields: int) -> FormData:
    """The form. Raises Problem for one in characters that cannot be read: there are codecs that read nothing."""
    try:
        return await request.form(max_files=files, max_fields=fields, max_part_size=1 << 20)
    except UnicodeError:
        raise Problem("bad-request", "The form must be in UTF-8.") from None


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises json.JSONDecodeError, DuplicateMember for a member named twice."""
    # The strict reader first: it bounds depth, and refuses NaN, lone surrogates and anything but UTF-8.
    orjson.loads(body)
    try:
        return _DECODER.decode(body.decode())
    except (RecursionError, ValueError) as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        # Deeper, or a number longer, than Python cares to read.
        raise json.JSONDecodeError("too deep, or a number too long", "", 0) from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DuplicateMember(name)
            seen.add(name)
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_members)
