"""What guardrails find, as it is answered: checks and violations with every member they can have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

OutcomeResult = Literal[
    "answered", "machine", "abandoned", "no_answer", "busy", "failed", "delivered", "undelivered"
]
Outcome = Literal["pass", "block", "skip"]


class Document(BaseModel):
    """The base of all documents. What is sent and not described is a fault of ours, which the tests look for."""

    model_config = ConfigDict(extra="forbid")


class FindingLimits(Document):
    """How far a text may be spread."""

    senders: int
    numbers: int
    window: str


class FindingDocument(Document):
    """One finding. `start` and `end` count code points of the body, half open; `excerpt` is masked."""

    rule: str
    severity: Literal["block", "warn"]
    start: int
    end: int
    excerpt: str
    why: str
    remedy: str
    senders: int | None = Field(default=None, description="volume.snowshoe: from how many senders")
    numbers: int | None = Field(default=None, description="volume.snowshoe: to how many numbers")
    limits: FindingLimits | None = None


class SegmentsDocument(Document):
    """How a text is billed."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    count: int


class AskedRegistry(Document):
    """A registry in which the number was looked up, with the date of its list."""

    registry: str
    kind: str
    region: str | None
    version_date: str


class LiftedRegistry(Document):
    """A registry that lists the number, and the consent on record that lifts it."""

    registry: str
    consent: str
    kind: str


class MissingListDocument(Document):
    """A state's own list in which the number was not looked up, or in too old a one."""

    region: str
    list: str
    standing: Literal["missing", "too_old"]


class SuppressionCheck(Document):
    """The account's list and the registries."""

    guardrail: Literal["suppression"]
    outcome: Outcome
    reason: Literal["emergency"] | None = None
    registries: list[AskedRegistry] = Field(
        default_factory=list, description="Those that were asked; absent from decisions of earlier releases"
    )
    consents: list[LiftedRegistry] = Field(default_factory=list)
    missing_lists: list[MissingListDocument] = Field(
        default_factory=list, description="A warning: lists that states keep where the person may be"
    )


class MeetingConsent(Document):
    """A consent, and the rules that it meets. One that came with the intent has the id `presented`."""

    id: str
    kind: str
    meets: list[str]


class DisclosureDocument(Document):
    """What the call must say. `only_if` is `recorded` where it is owed only when the call is recorded."""

    id: str
    what: list[str]
    say: str
    when: str
    only_if: str | None
    citation: str


class ConsentsCheck(Document):
    """The consents that the law, or the account, requires."""

    guardrail: Literal["consents"]
    outcome: Outcome
    reason: Literal["emergency"] | None = None
    rules: list[str] = Field(default_factory=list, description="Ids of the rules that require a consent")
    consents: list[MeetingConsent] = Field(default_factory=list)
    disclosures: list[DisclosureDocument] = Field(
        default_factory=list, description="Of a call whose voice is prerecorded or artificial"
    )


class LiftingConsent(Document):
    """A consent on record, and the rules that it lifts."""

    id: str
    kind: str
    lifts: list[str]


class WindowCheck(Document):
    """The calling windows on every clock where the person may be."""

    guardrail: Literal["calling_window"]
    outcome: Outcome
    timezones: list[str] = Field(default_factory=list)
    regions: list[str] = Field(default_factory=list)
    local_times: list[str] = Field(default_factory=list)
    rules: list[str] = Field(default_factory=list, description="Ids of the rules in force")
    closes_at: str | None = None
    next_allowed_at: str | None = None
    consent: list[LiftingConsent] = Field(default_factory=list)
    reason: str | None = Field(default=None, description="Why no place is known")
    unknown_location: Literal["block", "strictest"] | None = None
    trusted_recipient: bool | None = None


class CountedCap(Document):
    """A cap in force, and how many attempts count under it."""

    id: str
    max: int
    period: str
    used: int
    results: list[OutcomeResult] | None = Field(default=None, description="Only attempts that ended so count")
    subject: str | None = Field(default=None, description="Only attempts about it count")


class FrequencyCheck(Document):
    """The caps on attempts to the number."""

    guardrail: Literal["frequency"]
    outcome: Outcome
    caps: list[CountedCap] = Field(default_factory=list)


class AbandonmentCheck(Document):
    """The campaign's abandoned calls among those that a person answered; told where the policy limits them."""

    guardrail: Literal["abandonment"]
    outcome: Outcome
    campaign: str | None = None
    rate: float | None = Field(default=None, description="None until a person has answered")
    max: float | None = None
    period: str | None = None
    answered_by_person: int | None = None
    abandoned: int | None = None
    warning: Literal["near", "exceeded"] | None = Field(
        default=None, description="near: four fifths of the limit and more"
    )


class ContentCheck(Document):
    """The scan of a text."""

    guardrail: Literal["content"]
    outcome: Outcome
    warnings: list[FindingDocument] = Field(default_factory=list)
    segments: SegmentsDocument | None = None


class ChannelCheck(Document):
    """The channel, the paces and the quotas."""

    guardrail: Literal["channel"]
    outcome: Outcome
    scope: str | None = None
    limit: int | None = None
    used: int | None = None


CheckDocument = Annotated[
    SuppressionCheck
    | ConsentsCheck
    | WindowCheck
    | FrequencyCheck
    | AbandonmentCheck
    | ContentCheck
    | ChannelCheck,
    Field(discriminator="guardrail"),
]
