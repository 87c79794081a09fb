"""Everything a decision is made from: plain values, gathered before, judged without I/O or clock.

Instants are aware datetimes in UTC. Numbers are E.164 with the plus sign. Durations carry their unit in the
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Literal

IntentType = Literal["call", "sms"]
Purpose = Literal["marketing", "informational", "emergency"]
VoiceType = Literal["live", "prerecorded", "artificial"]
SuppressionChannel = Literal["call", "sms", "all"]
# ``existing_business`` is what older consents are called; it counts as an inquiry, the shorter of the two.
ConsentKind = Literal["express", "express_written", "purchase", "inquiry", "existing_business"]
RecipientKind = Literal["consumer", "business"]
LineType = Literal["mobile", "landline", "voip"]
# How an approved intent ended. Abandoned: a person answered and nobody spoke to them within two seconds.
OutcomeResult = Literal[
    "answered", "machine", "abandoned", "no_answer", "busy", "failed", "delivered", "undelivered"
]


@dataclass(frozen=True, slots=True)
class Recipient:
    """What the caller knows of the person and of where they are. Every field may be absent."""

    postal_code: str | None = None  # US ZIP, five digits
    region: str | None = None  # ISO 3166-2, as US-CA
    timezone: str | None = None  # IANA name
    latitude: float | None = None  # degrees, WGS 84
    longitude: float | None = None
    kind: RecipientKind = "consumer"
    line_type: LineType | None = None  # None: whatever binds more


@dataclass(frozen=True, slots=True)
class PresentedConsent:
    """A consent that the caller keeps elsewhere and presents with the intent."""

    kind: ConsentKind
    given_at: datetime
    evidence: Any  # a JSON object or a text


@dataclass(frozen=True, slots=True)
class Intent:
    """A call or a text that somebody wants to send, already checked for form."""

    type: IntentType
    to: str
    sender: str  # the field `from`
    purpose: Purpose = "marketing"
    campaign: str | None = None
    body: str | None = None
    first_contact: bool = False
    pool: str = "default"
    max_duration_seconds: int = 3600
    voice_type: VoiceType = "live"
    recipient: Recipient | None = None
    subject: str | None = None  # what it is about, a debt or an offer; None: may be about anything
    consent: PresentedConsent | None = None


@dataclass(frozen=True, slots=True)
class HouseWindow:
    """The account's own window, minutes since local midnight, half open."""

    start_minute: int = 9 * 60
    end_minute: int = 21 * 60


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``max`` approved attempts of the counted types to one number in any ``period_seconds``.

    With ``results`` only those count that ended in one of them; per subject only those about the same.
    """

    max: int
    period_seconds: int
    counts: frozenset[IntentType]
    results: frozenset[OutcomeResult] | None = None
    per: Literal["number", "subject"] = "number"


@dataclass(frozen=True, slots=True)
class AbandonmentPolicy:
    """At most the share ``max`` of a campaign's calls that a person answered may be abandoned within ``days``."""

    max: Fraction
    days: int
    action: Literal["warn", "block"]


@dataclass(frozen=True, slots=True)
class SnowshoePolicy:
    """How far one text may be spread within a window; the reasons are in app.content.volume."""

    action: Literal["warn", "block", "off"] = "warn"
    senders: int = 10
    numbers: int = 100_000
    window_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """The account's own content rules."""

    allow: frozenset[str] = frozenset()  # rule ids, as shaft.alcohol when age-gated
    block_phrases: tuple[str, ...] = ()
    allow_phrases: tuple[str, ...] = ()
    severities: Mapping[str, Literal["block", "warn", "off"]] = field(default_factory=dict)
    phone_numbers: bool = True  # False: the account says that its texts carry no phone numbers
    snowshoe: SnowshoePolicy = SnowshoePolicy()


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    """Where the law leaves it open whether a consent is needed: ``law`` asks for none, ``all`` for one always."""

    call: Literal["law", "all"] = "law"
    sms: Literal["law", "all"] = "law"


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """The account's policy; it can narrow the law and never widen it."""

    version: int = 0
    house_window: HouseWindow = HouseWindow()
    caps: tuple[Cap, ...] = ()
    content: ContentPolicy = ContentPolicy()
    unknown_location: Literal["block", "strictest"] = "block"
    informational_windows: Literal["all", "law"] = "all"
    trust_recipient: bool = False  # a full address is trusted over the area code
    names: tuple[str, ...] = ()  # the sender's names
    domains: tuple[str, ...] = ()  # its own links
    consent: ConsentPolicy = ConsentPolicy()
    callers: tuple[str, ...] = ()  # the caller ids that the account may show; empty: any
    callers_only: bool = False  # refuse the others
    abandonment: AbandonmentPolicy | None = None
    missing_lists: Literal["warn", "block"] = "warn"  # of a state's list that is not here, or too old
    phones: tuple[str, ...] = ()  # its own numbers: a plus sign and digits, or a short code


@dataclass(frozen=True, slots=True)
class SuppressionEntry:
    """One entry of the account's own list that is in force."""

    number: str
    channel: SuppressionChannel
    reason: str
    source: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RegistryHit:
    """The number stands in a registry."""

    registry: str
    kind: str  # national_dnc, state_dnc, litigator, reassigned, custom
    region: str | None
    version_date: str  # RFC 3339 date
    applies_to: frozenset[IntentType]
    purposes: frozenset[str]
    since: date | None = None  # of a reassigned number: disconnected since


@dataclass(frozen=True, slots=True)
class RegistryInForce:
    """A registry that is loaded, so that every number is looked up in it."""

    name: str
    kind: str
    region: str | None
    version_date: str  # RFC 3339 date
    applies_to: frozenset[IntentType]
    purposes: frozenset[str]
    too_old: bool = False  # past its max_age_days: what it would say now is not known


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent for the destination, in force now: on record, or presented with the intent (then its id says so)."""

    id: str
    kind: ConsentKind
    channels: frozenset[IntentType]
    given_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Emergency:
    """A declared emergency that bans solicitation in a region until an instant."""

    region: str
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProclaimedHoliday:
    """A day that a government proclaimed a holiday: in a region (US-LA), or in a whole country (US)."""

    region: str
    day: date
    name: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """An approved attempt to the destination, as recorded."""

    type: IntentType
    at: datetime
    subject: str | None = None  # None: may have been about anything
    result: OutcomeResult | None = None  # None: not told yet


@dataclass(frozen=True, slots=True)
class CampaignDay:
    """The calls of a campaign that were approved on one day (UTC) and answered by a person."""

    day: date
    answered_by_person: int  # the abandoned among them
    abandoned: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stores know that bears on one intent."""

    policy: AccountPolicy = AccountPolicy()
    suppressions: tuple[SuppressionEntry, ...] = ()
    registry_hits: tuple[RegistryHit, ...] = ()
    registries: tuple[RegistryInForce, ...] = ()
    consents: tuple[Consent, ...] = ()
    emergencies: tuple[Emergency, ...] = ()
    holidays: tuple[ProclaimedHoliday, ...] = ()
    attempts: Sequence[Attempt] = ()
    # The last opt-out, or the last end of a consent by the account: what was given until then is over. Gathered for
    # intents that present a consent; those on record have ended with it.
    consents_ended_at: datetime | None = None
    # Of the intent's campaign, newest last; empty unless the policy limits what may be abandoned.
    campaign_days: tuple[CampaignDay, ...] = ()
