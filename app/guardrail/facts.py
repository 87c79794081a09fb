"""Everything a decision is made from: plain values, gathered before, judged without I/O or clock.

Instants are aware datetimes in UTC. Numbers are E.164 with the plus sign. Durations carry their unit in the
name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

IntentType = Literal["call", "sms"]
Purpose = Literal["marketing", "informational", "emergency"]
VoiceType = Literal["live", "prerecorded", "artificial"]
SuppressionChannel = Literal["call", "sms", "all"]
# ``existing_business`` is what older consents are called; it counts as an inquiry, the shorter of the two.
ConsentKind = Literal["express", "express_written", "purchase", "inquiry", "existing_business"]
RecipientKind = Literal["consumer", "business"]
LineType = Literal["mobile", "landline", "voip"]
AttemptResult = Literal["answered", "no_answer", "busy", "abandoned", "failed"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """What the caller knows of where the person is. Every field may be absent."""

    postal_code: str | None = None  # US ZIP, five digits
    region: str | None = None  # ISO 3166-2, as US-CA
    timezone: str | None = None  # IANA name
    latitude: float | None = None  # degrees, WGS 84
    longitude: float | None = None
    kind: RecipientKind = "consumer"
    line_type: LineType | None = None  # None: whatever binds more


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
    subject: str | None = None  # what it is about; None: may be about anything


@dataclass(frozen=True, slots=True)
class HouseWindow:
    """The account's own window, minutes since local midnight, half open."""

    start_minute: int = 9 * 60
    end_minute: int = 21 * 60


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``max`` approved attempts of the counted types to one number in any ``period_seconds``."""

    max: int
    period_seconds: int
    counts: frozenset[IntentType]


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
    """A consent on record for the destination, in force now."""

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
    result: AttemptResult | None = None  # None: nobody said how it ended


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
