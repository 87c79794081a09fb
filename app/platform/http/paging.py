"""Opaque cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import Query

from app.platform.http.problems import Problem
from app.platform.outcomes import FieldFault
from app.platform.postgres.bounded_pages import Page

Limit = Annotated[int, Query(ge=1, le=500, description="Entries a page")]
# Some hold a name of eighty characters, each of up to four bytes.
Cursor = Annotated[str | None, Query(max_length=500, description="next_cursor of the page before")]
Order = Annotated[Literal["desc", "asc"], Query(description="desc: the newest first; asc: the oldest first")]

T = TypeVar("T")


def page_of(
    found: Sequence[T], limit: int, show: Callable[[T], Any], place: Callable[[T], str]
) -> dict[str, Any]:
    """One page: ``found`` holds one more than ``limit`` when another follows, which begins behind ``place``."""
    return {"items": [show(each) for each in found[:limit]], "next_cursor": next_cursor(found, limit, place)}


def page_looked_through(page: Page[T], show: Callable[[T], Any]) -> dict[str, Any]:
    """One page of a list that looks through a bounded stretch; it may be short, or empty, and not the last."""
    cursor = write_cursor(str(page.next_id)) if page.next_id is not None else None
    return {"items": [show(each) for each in page.rows], "next_cursor": cursor}


def next_cursor(found: Sequence[T], limit: int, place: Callable[[T], str]) -> str | None:
    """The cursor of the next page, or None when this is the last."""
    return write_cursor(place(found[limit - 1])) if len(found) > limit else None


def write_cursor(*parts: str) -> str:
    """A cursor that holds the parts."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, count: int) -> list[str] | None:
    """The parts of a cursor, or None. Raises a bad-request problem for one that we did not make."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        parts = text.split("\n", count - 1)  # the last may be a name, which may hold any character
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) != count or any("\x00" in part for part in parts):
        raise bad_cursor()
    return parts


def read_id(cursor: str | None) -> UUID | None:
    """The id in a cursor that holds one."""
    parts = read_cursor(cursor, 1)
    if parts is None:
        return None
    try:
        return UUID(parts[0])
    except ValueError:
        raise bad_cursor() from None


def bad_cursor() -> Problem:
    """The problem of a cursor that is not ours."""
    fault = FieldFault("cursor", "must be the next_cursor of an earlier page", "", malformed=True)
    return Problem("bad-request", "The cursor must be the next_cursor of an earlier page.", faults=[fault])
