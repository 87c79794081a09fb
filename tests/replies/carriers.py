"""Six carriers, each writing its own payload and signing it with its own package, as far as that signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
from bandwidth.models.inbound_callback import InboundCallback
from nacl.signing import SigningKey
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3
from sinch.domains.authentication.sinch_events.v1.authentication_validation import (
    calculate_sinch_event_signature,
    compute_signed_data,
)
from twilio.request_validator import RequestValidator

from app.clock import utc_now

PATH = "/v1/inbound-messages"
FORM = "application/x-www-form-urlencoded"
NAMES = ("twilio", "telnyx", "plivo", "vonage", "sinch", "bandwidth")
ACCOUNT_NUMBER = "+12125550100"
BANDWIDTH_USER = "gate"


@dataclass(frozen=True)
class Sent:
    """A webhook on its way: where to, what, and what proves it."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Carriers:
    """The secrets that one account shares with its carriers, and the address under which they know it."""

    base_url: str
    key: str  # an API key that carries inbound:write alone
    secret: str = field(default_factory=lambda: secrets.token_hex(32))
    signing_key: SigningKey = field(default_factory=SigningKey.generate)
    late_by: float = 0  # seconds that a time stamp is old
    said_ago: float = 0  # seconds since the person sent the text, which may have waited at its carrier

    def policy(self) -> dict[str, dict[str, Any]]:
        """What the policy's inbound.carriers has to say of them."""
        kept: dict[str, dict[str, Any]] = {name: {"secret": self.secret} for name in NAMES}
        kept["telnyx"] = {"public_key": base64.b64encode(bytes(self.signing_key.verify_key)).decode()}
        kept["bandwidth"]["username"] = BANDWIDTH_USER
        return kept

    def forger(self) -> Carriers:
        """Somebody who knows the address, the key and how to sign, and not the secrets."""
        return replace(self, secret=secrets.token_hex(32), signing_key=SigningKey.generate())

    def late(self, seconds: float) -> Carriers:
        """The same, with time stamps that are so old; a negative number: of the future."""
        return replace(self, late_by=seconds)

    def sent(self, name: str, sender: str, body: str, message_id: str, **fields: str) -> Sent:
        """A text as that carrier posts it."""
        made: Sent = getattr(self, name)(sender, body, message_id, **fields)
        return made

    def _path(self, name: str) -> str:
        return f"{PATH}/{name}?key={self.key}"

    def _seconds(self) -> int:
        return int(time.time() - self.late_by)

    def _said_at(self) -> str:
        """When the person sent it, as carriers write it."""
        at = utc_now() - timedelta(seconds=self.said_ago)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def twilio(self, sender: str, body: str, message_id: str, **fields: str) -> Sent:
        form = {"MessageSid": message_id, "From": sender, "To": ACCOUNT_NUMBER, "Body": body, **fields}
        path = self._path("twilio")
        signature = RequestValidator(self.secret).compute_signature(self.base_url + path, form)
        return Sent(path, urlencode(form).encode(), {"Content-Type": FORM, "X-Twilio-Signature": signature})

    def twilio_json(self, sender: str, body: str, message_id: str) -> Sent:
        text = json.dumps({"MessageSid": message_id, "From": sender, "To": ACCOUNT_NUMBER, "Body": body})
        validator = RequestValidator(self.secret)
        path = f"{self._path('twilio')}&bodySHA256={validator.compute_hash(text)}"
        signature = validator.compute_signature(self.base_url + path, {})
        assert validator.validate(self.base_url + path, text, signature)
        return Sent(
            path, text.encode(), {"Content-Type": "application/json", "X-Twilio-Signature": signature}
        )

    def telnyx(self, sender: str, body: str | None, message_id: str, /, **fields: Any) -> Sent:
        payload = {
            "record_type": "message",
            "direction": "inbound",
            "id": message_id,
            "type": "SMS",
            "from": {"phone_number": sender, "carrier": "T-MOBILE USA, INC."},
            "to": [{"phone_number": ACCOUNT_NUMBER, "status": "webhook_delivered"}],
            "text": body,
            "received_at": self._said_at(),
            **fields,
        }
        event = {"data": {"record_type": "event", "event_type": "message.received", "payload": payload}}
        raw, stamp = json.dumps(event).encode(), str(self._seconds())
        signature = self.signing_key.sign(f"{stamp}|".encode() + raw).signature
        headers = {
            "telnyx-timestamp": stamp,
            "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        }
        return Sent(self._path("telnyx"), raw, {"Content-Type": "application/json", **headers})

    def plivo(self, sender: str, body: str, message_id: str) -> Sent:
        return self.plivo_form(sender, message_id, Text=body, Type="sms")

    def plivo_form(self, sender: str, message_id: str, **fields: str) -> Sent:
        """What a person sent, with the fields that its kind has."""
        form = {
            "From": sender.lstrip("+"),
            "To": ACCOUNT_NUMBER.lstrip("+"),
            "MessageUUID": message_id,
            **fields,
        }
        path, nonce = self._path("plivo"), secrets.token_hex(10)
        signed = construct_post_url(self.base_url + path, dict(form)).decode()
        signature = get_signature_v3(self.secret.encode(), signed, nonce.encode()).decode()
        headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
        return Sent(path, urlencode(form).encode(), {"Content-Type": FORM, **headers})

    def vonage(self, sender: str, body: str, message_id: str) -> Sent:
        return self.vonage_members(sender, message_id, channel="sms", message_type="text", text=body)

    def vonage_members(self, sender: str, message_id: str, **members: Any) -> Sent:
        """What a person sent, with the members that its kind has."""
        members = {
            "message_uuid": message_id,
            "to": ACCOUNT_NUMBER.lstrip("+"),
            "from": sender.lstrip("+"),
            "timestamp": self._said_at(),
            **members,
        }
        raw = json.dumps(members, separators=(",", ":")).encode()
        claims = {
            "iat": self._seconds(),
            "jti": secrets.token_hex(8),
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(raw).hexdigest(),
            "api_key": "a1b2c3d4",
        }
        token = jwt.encode(claims, self.secret, algorithm="HS256")
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return Sent(self._path("vonage"), raw, headers)

    def sinch(self, sender: str, body: str, message_id: str) -> Sent:
        members = {
            "type": "mo_text",
            "id": message_id,
            "from": sender.lstrip("+"),
            "to": ACCOUNT_NUMBER.lstrip("+"),
            "body": body,
            "received_at": self._said_at(),
            "operator_id": "310260",
        }
        return self.sinch_members(members)

    def sinch_conversation(self, identity: str, message_id: str, channel: str, **said: Any) -> Sent:
        """MESSAGE_INBOUND of the Conversation API, which names a person as the channel does."""
        message = {
            "id": message_id,
            "direction": "TO_APP",
            "contact_message": said,
            "channel_identity": {"channel": channel, "identity": identity, "app_id": ""},
            "conversation_id": "01E6K4A8PGZ6MV0GD3C7M901MZ",
            "contact_id": "01E6K4A8N3NANZ05VM0FS80EHD",
            "metadata": "",
            "accept_time": self._said_at(),
            "sender_id": ACCOUNT_NUMBER.lstrip("+"),
        }
        at = {"accepted_time": self._said_at(), "event_time": self._said_at()}
        return self.sinch_members({"app_id": "01E3S8B6", "project_id": "c36f3d3d", **at, "message": message})

    def sinch_members(self, members: Mapping[str, Any]) -> Sent:
        """Any callback of Sinch's, signed with the secret of the webhook."""
        text, nonce, stamp = json.dumps(members), secrets.token_hex(13), str(self._seconds())
        signature = calculate_sinch_event_signature(compute_signed_data(text, nonce, stamp), self.secret)
        headers = {
            "Content-Type": "application/json",
            "x-sinch-webhook-signature": signature,
            "x-sinch-webhook-signature-algorithm": "HmacSHA256",
            "x-sinch-webhook-signature-nonce": nonce,
            "x-sinch-webhook-signature-timestamp": stamp,
        }
        return Sent(self._path("sinch"), text.encode(), headers)

    def bandwidth(
        self, sender: str, body: str | None, message_id: str, kind: str = "message-received", **said: Any
    ) -> Sent:
        at = self._said_at()
        callback = InboundCallback.from_dict(
            {
                "time": at,
                "type": kind,
                "to": ACCOUNT_NUMBER,
                "description": "Incoming message received",
                "message": {
                    "id": message_id,
                    "owner": ACCOUNT_NUMBER,
                    "applicationId": "93de2206-9669-4e07-948d-329f4b722ee2",
                    "time": at,
                    "segmentCount": 1,
                    "direction": "in",
                    "to": [ACCOUNT_NUMBER],
                    "from": sender,
                    "text": body,
                    **said,
                },
            }
        )
        assert callback is not None
        shown = base64.b64encode(f"{BANDWIDTH_USER}:{self.secret}".encode()).decode()
        raw = json.dumps([callback.to_dict()], default=datetime.isoformat).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {shown}"}
        return Sent(self._path("bandwidth"), raw, headers)
