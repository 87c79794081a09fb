"""Caps and the limit on abandoned calls, as a policy's body carries them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.durations import duration_seconds
from app.guardrail.facts import OutcomeResult
from app.intents.facts_store import ATTEMPTS_LOOK_BACK_DAYS
from app.platform.http.fields import Body, Words, malformed, unusable


def _period(text: str) -> str:
    try:
        seconds = duration_seconds(text)
    except ValueError as error:
        raise malformed(str(error)) from None
    if not 1 <= seconds <= ATTEMPTS_LOOK_BACK_DAYS * 86_400:
        raise unusable(f"must be one second to {ATTEMPTS_LOOK_BACK_DAYS} days long")
    return text


def _days(text: str) -> str:
    try:
        seconds = duration_seconds(text)
    except ValueError as error:
        raise malformed(str(error)) from None
    if seconds % 86_400 or not 1 <= seconds // 86_400 <= ATTEMPTS_LOOK_BACK_DAYS:
        raise unusable(f"must be 1 to {ATTEMPTS_LOOK_BACK_DAYS} whole days long, as P30D")
    return text


def each_once(found: list[str]) -> list[str]:
    """A list that names nothing twice."""
    if len(set(found)) != len(found):
        raise unusable("must name each once")
    return found


Period = Annotated[Words, Field(max_length=40), AfterValidator(_period)]
Days = Annotated[Words, Field(max_length=40), AfterValidator(_days)]


class CapBody(Body):
    """At most so many approved attempts to one number in any such period."""

    max: Annotated[int, Field(ge=1, le=100)]
    period: Period = Field(description="ISO 8601, up to 31 days: PT24H")
    counts: Annotated[
        list[Literal["call", "sms"]], Field(min_length=1, max_length=2), AfterValidator(each_once)
    ] = Field(default=["call", "sms"])
    results: (
        Annotated[list[OutcomeResult], Field(min_length=1, max_length=8), AfterValidator(each_once)] | None
    ) = Field(default=None, description="Count only attempts whose outcome was told as one of these")
    per: Literal["number", "subject"] = Field(
        default="number",
        description="subject: count only what was about the same; an attempt without a subject counts for each",
    )


class AbandonmentBody(Body):
    """How many of a campaign's calls that a person answered may be abandoned."""

    max: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.03, description="The share of the calls answered by a person"
    )
    period: Days = Field(default="P30D", description="ISO 8601, whole days in UTC, up to 31")
    action: Literal["warn", "block"] = "warn"
