"""Twilio: HMAC over the address and the form's fields, or over the address alone where it holds the body's hash.

https://www.twilio.com/docs/usage/webhooks/webhooks-security: the HMAC-SHA1, in base64, of the URL that the
carrier called, query included, followed by the name and the value of every form field in the order of their
names; the account's auth token is the key. With a shared key it is HMAC-SHA256, and a header says so. A JSON body is
signed by its SHA-256 in the query (`bodySHA256`). No time is signed: a webhook that is sent again is known by its
MessageSid. Twilio sends the <Message> of the TwiML that it is answered with; where it answered a keyword itself
(Advanced Opt-Out), its form says which (`OptOutType`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from app.replies.carriers.webhook import (
    Carrier,
    ReplyDocument,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    json_object,
    text_of,
)

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 200
_READ = frozenset({"MessageSid", "From", "To", "Body", "OptOutType"})
_CHANNEL = re.compile(r"(?:whatsapp|rcs):(?=\+)")
# No two messages have one, where it is written so; what somebody made up may stand for many.
_MESSAGE_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)
_STANDARD_PORTS = {"http": 80, "https": 443}
_ALGORITHMS: Mapping[str, Callable[[], Any]] = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}


def signature(secret: str, url: str, fields: Sequence[tuple[str, str]], algorithm: str = "HMAC_SHA1") -> str:
    """The signature of a form that was posted to the URL."""
    # A name that comes several times is signed with each of its different values once, in their order.
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(
        secret.encode(), signed.encode("utf-8", "surrogatepass"), _ALGORITHMS[algorithm]
    ).digest()
    return base64.b64encode(digest).decode()


def is_signed(
    given: str | None,
    secret: str,
    url: str,
    user_info: str | None,
    fields: Sequence[tuple[str, str]],
    algorithm: str = "HMAC_SHA1",
) -> bool:
    """Whether the header's value is right for one of the ways in which the same URL can be written.

    Carriers have signed it with and without the port that its scheme implies, and with and without the user
    and password that were configured in it. Every comparison takes the same time, right or wrong.
    """
    if not given or algorithm not in _ALGORITHMS:
        return False
    right = [
        hmac.compare_digest(
            signature(secret, spelling, fields, algorithm).encode(), given.encode("utf-8", "replace")
        )
        for spelling in spellings_of(url, user_info)
    ]
    return any(right)


def spellings_of(url: str, user_info: str | None) -> Iterator[str]:
    """The ways in which the same URL can be written: its port, and the user and password that a carrier has for it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = parts.port or _STANDARD_PORTS.get(parts.scheme)
    hosts = (
        [host, f"{host}:{port}"] if port == _STANDARD_PORTS.get(parts.scheme) else [f"{host}:{port}", host]
    )
    for written in hosts:
        for user in ("", f"{user_info}@") if user_info else ("",):
            yield urlunsplit((parts.scheme, user + written, parts.path, parts.query, ""))


def is_message_sid(text: str | None) -> bool:
    """Whether the text is an id that a message has for itself alone."""
    return text is not None and _MESSAGE_SID.fullmatch(text) is not None


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in their order. Raises Unreadable."""
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Unreadable(f"must be a {FORM} form in UTF-8") from None


def _algorithm(settings: str) -> str:
    """What X-Twilio-Webhooks-Signature-Settings names: `key=…,algorithm=HMAC_SHA256`."""
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    fields: Sequence[tuple[str, str]] = ()
    if request.media_type == FORM:
        try:
            fields = form_fields(request.body)
        except Unreadable:
            return False
    else:
        told = parse_qs(urlsplit(request.url).query).get("bodySHA256", [""])
        digest = hashlib.sha256(request.body).hexdigest()
        if len(told) != 1 or not hmac.compare_digest(digest.encode(), told[0].lower().encode()):
            return False
    return is_signed(
        request.header("x-twilio-signature"),
        kept["secret"],
        request.url,
        request.user_info,
        fields,
        _algorithm(request.header("x-twilio-webhooks-signature-settings")),
    )


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    if request.media_type == FORM:
        fields = form_fields(request.body)
        members: Mapping[str, Any] = dict(fields)
        names = [name for name, _ in fields if name in _READ]
        if len(set(names)) < len(names):
            raise Unreadable("must not name a field twice")
    else:
        members = json_object(request.body)
    action = text_of(members, "OptOutType", default="").upper()
    return [
        WebhookMessage(
            id=text_of(members, "MessageSid", default=""),
            sender=_CHANNEL.sub("", text_of(members, "From")),
            to=_CHANNEL.sub("", text_of(members, "To", default="")),
            body=text_of(members, "Body", default=""),
            carrier_action=action or None,
            is_answered=bool(action),
        )
    ]


def twiml(words: str | None) -> bytes:
    """https://www.twilio.com/docs/messaging/twiml: what a carrier does next; nothing where there is no reply."""
    message = f"<Message>{escape(words)}</Message>" if words is not None else ""
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
    return text.encode("utf-8", "xmlcharrefreplace")


def _reply(_: WebhookMessage | None, words: str | None) -> ReplyDocument:
    return ReplyDocument("text/xml", twiml(words))


TWILIO = Carrier(_is_signed, _messages, _reply)
