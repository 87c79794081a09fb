"""What the answers about the law look like."""

from __future__ import annotations

from typing import Literal

from app.platform.http.response_schemas import Document

Confidence = Literal["high", "medium", "low"]


class OpenHours(Document):
    """A stretch of a local day."""

    opens: str
    closes: str


class HoursDocument(Document):
    """The hours of a week, half open."""

    weekday: list[OpenHours]
    saturday: list[OpenHours]
    sunday: list[OpenHours]
    closed: list[str]
    holidays: Literal["none", "ban", "sunday"]
    eve: Literal["none", "saturday"]
    calendar: str | None


class LiftedBy(Document):
    """A kind of consent, and how old it may be."""

    kind: str
    within_months: int | None
    within_days: int | None


class CapDocument(Document):
    """A cap on attempts to one number."""

    max: int
    period: str
    unit: Literal["rolling", "calendar_days", "after_refusal"]
    same_subject: bool
    counts: list[str]
    results: list[str]


class SourcesDocument(Document):
    """Where it was read, the text and what others say of it apart."""

    text: list[str]
    commentary: list[str]
    unread: list[str]


class CitedDocument(Document):
    """What everything in the rules says of itself."""

    id: str
    region: str
    citation: str
    confidence: Confidence
    effective_from: str | None
    effective_until: str | None
    checked: str | None
    watch: str
    note: str
    quote: str | None
    quote_in: str | None
    quote_url: str | None
    quote_read: str | None
    sources: SourcesDocument
    lifted_by: list[LiftedBy]
    applied: bool


class RuleDocument(CitedDocument):
    """A rule about hours."""

    name: str
    also_in: list[str]
    scope: Literal["all", "prerecorded", "securities", "collections"]
    binds_texts: Literal["yes", "no", "conservative"]
    recipients: list[str]
    hours: HoursDocument
    text_hours: HoursDocument | None
    clocks: list[str]
    solicitation_only: bool
    caps: list[CapDocument]
    house: bool
    supersedes: str | None
    outside: list[str]


class PlaceCapDocument(CitedDocument):
    """A cap that is no rule's about hours."""

    cap: CapDocument
    voices: list[str]
    purposes: list[str]
    line_types: list[str]


class ChangeDocument(Document):
    """What changes by itself, at midnight of the place."""

    date: str
    what: Literal["begins", "ends"]
    rule: str
    name: str
    region: str
    citation: str
    supersedes: str | None


class LawDocument(Document):
    """The law on a day."""

    version: str
    pack: str
    digest: str
    compiled: str | None
    at: str
    rules: list[RuleDocument]
    caps: list[PlaceCapDocument]
    changes: list[ChangeDocument]


class LoadedList(Document):
    """The registry that holds a list."""

    name: str
    version_date: str | None
    age_days: int | None


class KeptListDocument(Document):
    """A list that somebody keeps, and whether it is here."""

    region: str
    name: str
    keeper: str
    url: str
    renew: str
    max_age_days: int
    applies_to: list[Literal["call", "sms"]]
    recipients: list[str]
    citation: str
    confidence: Confidence
    note: str
    standing: Literal["loaded", "missing", "too_old"]
    registries: list[LoadedList]


class KeptLists(Document):
    """Every list that the rules know of."""

    items: list[KeptListDocument]
