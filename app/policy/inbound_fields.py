"""What a policy says of inbound messages: what they are answered with, and by what carriers prove who they are."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from app.platform.http import response_schemas as documents
from app.platform.http.fields import Body, Words, unusable

Reply = Annotated[Words, Field(min_length=1, max_length=1600)]
_WRITE_ONLY: JsonDict = {"writeOnly": True}
_HAS_SECRET = Field(
    default=None, description="Answered only; ignored when sent", json_schema_extra={"readOnly": True}
)
_ANSWERS = Field(
    default=None,
    description="The carrier answers opt-outs and calls for help itself, so that its webhooks get no reply",
)
_ED25519_BYTES = 32


def _public_key(text: str) -> str:
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != _ED25519_BYTES:
        raise unusable("must be an Ed25519 public key in base64, as the carrier shows it")
    return text


Secret = Annotated[Words, Field(min_length=8, max_length=256)]
_KEPT = "Never answered. Kept when absent"


class SecretBody(Body):
    """A carrier that signs with a secret: Twilio's and Plivo's auth token, Vonage's signature secret, Sinch's."""

    secret: Secret | None = Field(default=None, description=_KEPT, json_schema_extra=_WRITE_ONLY)
    answers: bool | None = _ANSWERS
    has_secret: bool | None = _HAS_SECRET


class BasicBody(Body):
    """A carrier that signs nothing and shows the user and the password of its callback: Bandwidth."""

    username: Annotated[Words, Field(min_length=1, max_length=256, pattern="^[^:]*$")] | None = Field(
        default=None, description=_KEPT, json_schema_extra=_WRITE_ONLY
    )
    secret: Secret | None = Field(default=None, description=_KEPT, json_schema_extra=_WRITE_ONLY)
    answers: bool | None = _ANSWERS
    has_secret: bool | None = _HAS_SECRET


class PublicKeyBody(Body):
    """A carrier whose signatures are checked with a public key: Telnyx."""

    public_key: Annotated[Words, Field(max_length=64), AfterValidator(_public_key)] | None = Field(
        default=None, description=_KEPT, json_schema_extra=_WRITE_ONLY
    )
    answers: bool | None = _ANSWERS
    has_secret: bool | None = _HAS_SECRET


class CarriersBody(Body):
    """The carriers whose webhooks are taken. One that is not named stays as it is; null removes it."""

    twilio: SecretBody | None = None
    telnyx: PublicKeyBody | None = None
    plivo: SecretBody | None = None
    vonage: SecretBody | None = None
    sinch: SecretBody | None = None
    bandwidth: BasicBody | None = None


class InboundBody(Body):
    """What inbound messages are answered with, and the secret that a carrier's webhooks are signed with."""

    opt_out_reply: Reply | None = None
    opt_in_reply: Reply | None = None
    help_reply: Reply | None = None
    webhook_secret: Annotated[Words, Field(min_length=8, max_length=256)] | None = Field(
        default=None,
        description="Never answered. Kept when absent, removed by null; with it, form webhooks must be signed",
        json_schema_extra={"writeOnly": True},
    )
    carriers: CarriersBody | None = Field(
        default=None, description="By what each carrier's webhooks are told from anybody's"
    )
    has_webhook_secret: bool | None = Field(
        default=None, description="Answered only; ignored when sent", json_schema_extra={"readOnly": True}
    )


class CarrierDocument(documents.Document):
    """A carrier whose webhooks are taken. What proves them is never answered."""

    has_secret: bool
    answers: bool


class CarriersDocument(documents.Document):
    """Those that the account has named."""

    twilio: CarrierDocument | None = None
    telnyx: CarrierDocument | None = None
    plivo: CarrierDocument | None = None
    vonage: CarrierDocument | None = None
    sinch: CarrierDocument | None = None
    bandwidth: CarrierDocument | None = None


class RepliesDocument(documents.Document):
    """What inbound messages are answered with; null where the built-in wording stands. No secret is ever answered."""

    opt_out_reply: str | None
    opt_in_reply: str | None
    help_reply: str | None
    has_webhook_secret: bool
    carriers: CarriersDocument | None = Field(default=None, description="Absent where none is named")
