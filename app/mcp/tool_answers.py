"""What the tools answer: the API's documents, of which the members that a reader needs first are described.

They are open: what else Callgate says, now or in a later release, is handed on.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ToolAnswer(BaseModel):
    """The base of all of them."""

    model_config = ConfigDict(extra="allow")


class Reason(ToolAnswer):
    """One guardrail's refusal."""

    code: str
    guardrail: str
    detail: str


class ForeseenVerdict(ToolAnswer):
    """What would be decided. It is no approval."""

    verdict: Literal["approved", "blocked"]
    at: str = Field(description="The instant for which it was judged")
    violations: list[Reason] = Field(description="Every guardrail that would refuse, in order of precedence")
    checks: list[dict[str, Any]] = Field(description="Every guardrail with its outcome")


class OpenHoursAhead(ToolAnswer):
    """When the number may be reached."""

    number: str
    open_now: bool
    next_opens_at: str | None = Field(description="Null while it is open, and where no hour is known")
    open: list[dict[str, Any]] = Field(description="The open spans, in UTC and on the person's clocks")
    timezones: list[dict[str, Any]] = Field(description="Every zone that was considered, and why")
    rules: list[dict[str, Any]] = Field(
        description="The rules in force, with citation, source and confidence"
    )


class TextFindings(ToolAnswer):
    """What was found in a text."""

    blocked: bool
    findings: list[dict[str, Any]] = Field(
        description="rule, severity (block or warn), start, end, excerpt, why and remedy of each"
    )
    segments: dict[str, Any] = Field(description="How the text is billed")


class RecordedDecision(ToolAnswer):
    """A decision as it is on record."""

    id: str
    type: str
    verdict: str
    to: str
    decided_at: str
    code: str | None = Field(description="The first reason of a refusal")
    violations: list[Reason]
    checks: list[dict[str, Any]]


class NumberOnLists(ToolAnswer):
    """Whether a number is one, and on which lists it is."""

    number: str
    valid: bool
    suppressed: bool
    entries: list[dict[str, Any]] = Field(default_factory=list, description="On the account's own list")
    registries: list[dict[str, Any]] = Field(
        default_factory=list, description="On registries, with their dates"
    )
