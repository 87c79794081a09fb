"""The Idempotency-Key header: a quoted string, or a bare token, which are the same key."""

from __future__ import annotations

import hashlib
import re

from fastapi import Request

from app.platform.http.problems import Problem
from app.platform.outcomes import FieldFault

# draft-ietf-httpapi-idempotency-key-header-07: an Item Structured Header whose value is a String (RFC 8941, 3.3.3).
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_BARE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~:/=-]{1,255}")
_FAULT = FieldFault(
    "Idempotency-Key", "must be a quoted string or a token of 1 to 255 characters", "", malformed=True
)
_TWICE = FieldFault("Idempotency-Key", "must be given once", "", malformed=True)


def idempotency_key(request: Request) -> str | None:
    """The key, unquoted, or None when there is none. Raises a bad-request problem."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    if len(given) > 1:
        raise Problem("bad-request", "Idempotency-Key must be given once.", faults=[_TWICE])
    header = given[0].strip()
    quoted = _QUOTED.fullmatch(header)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if _BARE.fullmatch(header):
        return header
    raise Problem("bad-request", "Idempotency-Key must be a quoted string or a token.", faults=[_FAULT])


def request_hash(request: Request, *body: bytes) -> bytes:
    """What makes two requests the same: method, path, query and the body to the byte, where it is at hand."""
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.url.path.encode(), request.url.query.encode(), *body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
