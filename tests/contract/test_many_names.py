"""Thousands of names in a query or a body are refused as fast as they are read, whoever sends them."""

from __future__ import annotations

import contextlib

import pytest
from starlette.requests import Request

from app.platform.http.fields import MOST_FAULTS, faults_of
from app.platform.http.problems import Problem
from app.platform.http.query_names import refuse_unknown
from tests.platform.patterns.slowness import grows_faster, spent


def looked_at(query: str) -> None:
    """As a route looks at its query that takes it as one model, and so knows no name of it."""
    request = Request({"type": "http", "query_string": query.encode(), "headers": []})
    with contextlib.suppress(Problem):
        refuse_unknown(request, None, frozenset())


def test_a_query_of_many_names_takes_no_longer_for_their_number() -> None:
    def names(length: int) -> str:
        return "&".join(f"{place:x}" for place in range(length // 5))[:length]

    assert grows_faster(looked_at, names, 32_000) is None


def test_a_name_that_is_given_twice_is_told_once() -> None:
    request = Request({"type": "http", "query_string": b"a=1&b=1&a=2&c=1&a=3&c=2", "headers": []})
    with pytest.raises(Problem) as refused:
        refuse_unknown(request, None, frozenset({"c"}))
    assert [(fault.field, fault.reason) for fault in refused.value.faults] == [("a", "must be given once")]


def test_of_many_unknown_fields_no_more_are_looked_at_than_are_told() -> None:
    errors = [
        {"type": "extra_forbidden", "loc": ("body", f"u{place}"), "msg": "", "input": 0}
        for place in range(90_000)
    ]
    told = faults_of(errors)
    assert [fault.field for fault in told] == [f"u{place}" for place in range(MOST_FAULTS)]
    few = min(spent(lambda: faults_of(errors[:MOST_FAULTS])) for _ in range(5))
    assert min(spent(lambda: faults_of(errors)) for _ in range(5)) < 5 * few
