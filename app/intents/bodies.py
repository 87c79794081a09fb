"""The bodies of intents, as the contract words them, and the intent that each becomes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from app.consents.consent_fields import Evidence, Kind
from app.guardrail.facts import Intent, PresentedConsent, Recipient
from app.instants import JUDGED, JUDGED_YEARS
from app.numbering.number_fields import Number, SmsSender, sender_check
from app.platform.http.fields import Body, Instant, MessageBody, Words, unusable

Label = Annotated[Words, Field(min_length=1, max_length=64)]
PoolName = Annotated[Words, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class RecipientBody(Body):
    """What the caller knows of the person and of where they are."""

    postal_code: Annotated[Words, Field(max_length=16, description="US ZIP")] | None = None
    region: Annotated[Words, Field(max_length=16, description="ISO 3166-2, as US-CA")] | None = None
    timezone: Annotated[Words, Field(max_length=64, description="IANA name")] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    line_type: Literal["mobile", "landline", "voip"] | None = Field(
        default=None, description="Unknown counts as whatever the law binds more"
    )
    kind: Literal["consumer", "business"] = "consumer"

    @model_validator(mode="after")
    def both_or_neither(self) -> RecipientBody:
        """A latitude without a longitude is no place."""
        if (self.latitude is None) != (self.longitude is None):
            raise unusable("latitude and longitude go together")
        return self

    def hints(self) -> Recipient | None:
        """The hints, or None when there are none."""
        given = self.model_dump(exclude_none=True, exclude_defaults=True)
        return Recipient(**given) if given else None


def _type(value: Any) -> Any:
    if isinstance(value, str) and value not in ("call", "sms"):
        raise unusable("must be call or sms")
    return value


class PresentedConsentBody(Body):
    """A consent that the caller keeps elsewhere, for the channel of the intent."""

    kind: Kind
    given_at: Instant
    evidence: Evidence

    def presented(self) -> PresentedConsent:
        """As it is judged."""
        return PresentedConsent(self.kind, self.given_at, self.evidence)


class _IntentBody(Body):
    to: Number = Field(description="Destination, E.164")
    purpose: Literal["marketing", "informational", "emergency"] = "marketing"
    campaign: Label | None = None
    subject: Label | None = Field(
        default=None, description="What the contact is about: a debt, an offer; caps per subject count by it"
    )
    recipient: RecipientBody | None = None
    consent: PresentedConsentBody | None = Field(
        default=None, description="Worth as much as one on record, and recorded with the decision"
    )


class CallBody(_IntentBody):
    """A call."""

    type: Annotated[Literal["call"], BeforeValidator(_type)]
    sender: Annotated[str, sender_check("call")] = Field(alias="from", description="Caller id, E.164")
    pool: PoolName = "default"
    max_duration: Annotated[
        int, Field(ge=30, le=14400, description="Seconds that the lease lasts unless renewed")
    ] = 3600
    voice_type: Literal["live", "prerecorded", "artificial"] = Field(
        default="live",
        description="artificial: a synthetic or AI voice, bound by every rule for prerecorded ones",
    )

    def intent(self) -> Intent:
        """The intent that this body asks for."""
        return Intent(
            type="call",
            to=self.to,
            sender=self.sender,
            purpose=self.purpose,
            campaign=self.campaign,
            pool=self.pool,
            max_duration_seconds=self.max_duration,
            voice_type=self.voice_type,
            recipient=self.recipient.hints() if self.recipient else None,
            subject=self.subject,
            consent=self.consent.presented() if self.consent else None,
        )


class SmsBody(_IntentBody):
    """A text message."""

    type: Annotated[Literal["sms"], BeforeValidator(_type)]
    sender: SmsSender = Field(alias="from", description="Sender, E.164 or a short code of 3 to 8 digits")
    body: MessageBody
    first_contact: bool = False

    def intent(self) -> Intent:
        """The intent that this body asks for."""
        return Intent(
            type="sms",
            to=self.to,
            sender=self.sender,
            purpose=self.purpose,
            campaign=self.campaign,
            body=self.body,
            first_contact=self.first_contact,
            recipient=self.recipient.hints() if self.recipient else None,
            subject=self.subject,
            consent=self.consent.presented() if self.consent else None,
        )


def _in_reach(at: datetime) -> datetime:
    if not JUDGED_YEARS[0] <= at.year <= JUDGED_YEARS[1]:
        raise unusable(JUDGED)
    return at


JudgedAt = Annotated[Instant, AfterValidator(_in_reach)]


class CallPreviewBody(CallBody):
    """A call, and the instant to judge it at."""

    at: JudgedAt | None = Field(default=None, description="The instant to judge at; now when absent")


class SmsPreviewBody(SmsBody):
    """A text message, and the instant to judge it at."""

    at: JudgedAt | None = Field(default=None, description="The instant to judge at; now when absent")


def _kind(value: Any) -> str:
    """Which of the two bodies to read it as. One without a usable type is read as the likelier, so that all of
    its faults are named at once."""
    if not isinstance(value, dict):
        return getattr(value, "type", "call")
    given = value.get("type")
    if given in ("call", "sms"):
        return str(given)
    return "sms" if "body" in value else "call"


IntentBody = Annotated[
    Annotated[CallBody, Tag("call")] | Annotated[SmsBody, Tag("sms")], Discriminator(_kind)
]
PreviewBody = Annotated[
    Annotated[CallPreviewBody, Tag("call")] | Annotated[SmsPreviewBody, Tag("sms")], Discriminator(_kind)
]
INTENT: TypeAdapter[CallBody | SmsBody] = TypeAdapter(IntentBody)


class BatchBody(Body):
    """Up to a thousand intents, each decided as if it had been posted alone."""

    intents: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=1000, description="Bodies as POST /v1/intents takes them"),
    ]
