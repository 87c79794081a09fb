"""Whether a webhook was signed as Twilio signs them.

https://www.twilio.com/docs/usage/webhooks/webhooks-security: the HMAC-SHA1, in base64, of the URL that the
carrier called, query included, followed by the name and the value of every form field in the order of their
names; the account's auth token is the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit, urlunsplit

_STANDARD_PORTS = {"http": 80, "https": 443}


def signature(secret: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """The signature of a form that was posted to the URL."""
    # A name that comes several times is signed with each of its different values once, in their order.
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(
    given: str | None, secret: str, url: str, user_info: str | None, fields: Sequence[tuple[str, str]]
) -> bool:
    """Whether the header's value is right for one of the ways in which the same URL can be written.

    Carriers have signed it with and without the port that its scheme implies, and with and without the user
    and password that were configured in it. Every comparison takes the same time, right or wrong.
    """
    if not given:
        return False
    right = [
        hmac.compare_digest(signature(secret, spelling, fields).encode(), given.encode("utf-8", "replace"))
        for spelling in _spellings(url, user_info)
    ]
    return any(right)


def _spellings(url: str, user_info: str | None) -> Iterator[str]:
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
