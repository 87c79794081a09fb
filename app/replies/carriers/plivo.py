"""Plivo: HMAC-SHA256 over the address, the form's fields and a nonce, by the auth token (its third signature).

https://www.plivo.com/docs/messaging/concepts/signature-validation: the address with its query sorted, a full stop, the
form's fields sorted, a full stop, the nonce. The signature says nothing of the time: a webhook that is sent again is
known by its MessageUUID. Plivo sends the <Message> of the XML that it is answered with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape, quoteattr

from app.replies.carriers.twilio import form_fields, spellings_of
from app.replies.carriers.webhook import (
    Carrier,
    ReplyDocument,
    Unreadable,
    WebhookMessage,
    WebhookRequest,
    receiver_of,
    text_of,
    with_plus,
)

# What Plivo takes a text for. Its opt-ins are not among them: that word is taken from the person alone.
_INTENTS = {"optout": "STOP", "help": "HELP"}
_SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")


def _signature(token: str, url: str, fields: Iterable[tuple[str, str]], nonce: str) -> bytes:
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))
    )
    posted = "".join(name + value for name, value in sorted(fields))
    signed = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if query or posted:
        signed += "?" + query
    if query and posted:
        signed += "."
    digest = hmac.digest(
        token.encode(), f"{signed}{posted}.{nonce}".encode("utf-8", "replace"), hashlib.sha256
    )
    return base64.b64encode(digest)


def _is_signed(request: WebhookRequest, kept: Mapping[str, Any]) -> bool:
    nonce = request.header("x-plivo-signature-v3-nonce")
    given = [
        each.strip().encode("utf-8", "replace")
        for name in _SIGNATURES
        for each in request.header(name).split(",")[:8]
        if each.strip()
    ]
    if not nonce or not given:
        return False
    try:
        fields = form_fields(request.body)
    except Unreadable:
        return False
    right = [
        hmac.compare_digest(_signature(kept["secret"], url, fields, nonce), signature)
        for url in spellings_of(request.url, request.user_info)
        for signature in given
    ]
    return any(right)


def _messages(request: WebhookRequest) -> Sequence[WebhookMessage]:
    members = dict(form_fields(request.body))
    if "Text" not in members and members.get("Type", "sms") == "sms":
        raise Unreadable("Text is missing")
    # https://www.plivo.com/docs/messaging/api/message/handling-incoming: an MMS and a WhatsApp message have a Body
    text, beside = (text_of(members, name, default="") for name in ("Text", "Body"))
    return [
        WebhookMessage(
            id=text_of(members, "MessageUUID", default=""),
            sender=with_plus(text_of(members, "From")),
            to=receiver_of(text_of(members, "To")),
            body=text or beside,
            carrier_action=_INTENTS.get(members.get("MessageIntent", "").lower()),
            subject=beside,
        )
    ]


def _reply(message: WebhookMessage | None, words: str | None) -> ReplyDocument:
    """https://www.plivo.com/docs/messaging/xml/message: from the number that was written to, to whoever wrote."""
    inside = ""
    if message is not None and words is not None:
        source, target = quoteattr(message.to.lstrip("+")), quoteattr(message.sender.lstrip("+"))
        inside = f'<Message src={source} dst={target} type="sms">{escape(words)}</Message>'
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>'
    return ReplyDocument("text/xml", text.encode("utf-8", "xmlcharrefreplace"))


PLIVO = Carrier(_is_signed, _messages, _reply)
