"""What guardrails answer becomes JSON in one place, each field under its own name."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.calling_window.verdict import OpenWindow
from app.frequency.verdict import CapReached
from app.guardrail.refusals import FREQUENCY_CAPPED, Check, Skipped
from app.platform.http.verdict_json import json_of, members_of


def test_an_instant_is_told_in_utc_and_what_a_clock_shows_with_its_offset() -> None:
    local = datetime(2026, 11, 21, 10, 0, 0, 5, tzinfo=ZoneInfo("America/Los_Angeles"))
    closes = datetime(2026, 11, 22, 5, tzinfo=UTC)
    result = OpenWindow(
        "calling_window",
        "pass",
        ("America/Los_Angeles",),
        ("US-CA",),
        (local,),
        ("house", "US"),
        closes_at=closes,
    )
    assert members_of(result) == {
        "timezones": ["America/Los_Angeles"],
        "regions": ["US-CA"],
        "local_times": ["2026-11-21T10:00:00-08:00"],
        "rules": ["house", "US"],
        "closes_at": "2026-11-22T05:00:00Z",
    }


def test_what_is_told_only_where_there_is_any_is_left_out_and_what_is_never_known_is_null() -> None:
    violation = CapReached(FREQUENCY_CAPPED, "so it is", "account:0", 0, "P1D", ("call",), "the policy", None)
    assert members_of(violation) == {
        "cap": "account:0",
        "max": 0,
        "period": "P1D",
        "counts": ["call"],
        "citation": "the policy",
        "next_allowed_at": None,
    }


def test_a_skipped_guardrail_has_no_members_but_its_reason() -> None:
    assert members_of(Check("content", "skip")) == {}
    assert members_of(Skipped("suppression", "skip", "emergency")) == {"reason": "emergency"}


def test_what_no_guardrail_answers_is_not_written() -> None:
    with pytest.raises(TypeError):
        json_of(object())
