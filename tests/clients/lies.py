"""Every answer that is no approval, and the one that is: each client is tried with the same."""

from __future__ import annotations

import json
from typing import Any

from tests.clients.liar import (
    Reply,
    approval,
    broken,
    drip,
    endless,
    hang,
    problem,
    refusing,
    response,
    then,
)

GOOD = approval()
_LEASE: dict[str, Any] = GOOD["lease"]
_TEXT = json.dumps(GOOD)


def _changed_lease(**changed: Any) -> dict[str, Any]:
    lease = {name: value for name, value in (_LEASE | changed).items() if value is not None}
    return approval(lease=lease)


VIOLATIONS = [
    {"type": "x", "code": "DNC_BLOCKED", "guardrail": "suppression", "detail": "listed"},
    {"type": "x", "code": "TCPA_BLOCKED", "guardrail": "calling_window", "detail": "too early"},
]
# Answers after which nobody may dial, each by what is wrong with it.
LIES: dict[str, Reply] = {
    "closed at once": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": _TEXT.encode(),
    "status that is none": b"HTTP/1.1 2o1 Created\r\n\r\n" + _TEXT.encode(),
    "100 and no more": b"HTTP/1.1 100 Continue\r\n\r\n",
    "hangs": hang,
    "hangs after the head": then(response(201, GOOD)[:-60], hang),
    "head comes byte by byte": drip(response(201, GOOD)),
    "body comes byte by byte": then(response(201, b"", length=len(_TEXT)), drip(_TEXT.encode())),
    "without an end": endless,
    "longer than it says": response(201, _TEXT.encode(), length=len(_TEXT) - 1),
    "shorter than it says": response(201, _TEXT.encode(), length=len(_TEXT) + 1),
    "chunks that break off": b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(_TEXT)
    + _TEXT.encode() + b"\r\n",
    "compressed, though nobody asked": response(201, b"\x1f\x8b\x08\x00" + b"\x00" * 40, "Content-Encoding: gzip"),
    "200": response(200, GOOD),
    "202": response(202, GOOD),
    "203 of a proxy": response(203, GOOD),
    "204": response(204, length=0),
    "301": response(301, GOOD, "Location: /elsewhere"),
    "302": response(302, GOOD, "Location: /elsewhere"),
    "303": response(303, GOOD, "Location: /elsewhere"),
    "307": response(307, GOOD, "Location: /elsewhere"),
    "308": response(308, GOOD, "Location: /elsewhere"),
    "304": response(304, b""),
    "403 with an approval": response(403, GOOD),
    "500 with an approval": response(500, GOOD),
    "503 with an approval": response(503, GOOD),
    "201 without a body": response(201, b""),
    "201 with a page": response(201, b"<html>Sign in to the network</html>", kind="text/html"),
    "201 with null": response(201, None),
    "201 with true": response(201, b"true"),
    "201 with a list": response(201, [GOOD]),
    "201 with a text": response(201, "approved"),
    "201 in UTF-16": response(201, _TEXT.encode("utf-16")),
    "201 with broken UTF-8": response(201, _TEXT.encode().replace(b"approved", b"approve\xff")),
    "201 with two documents": response(201, _TEXT.encode() * 2),
    "201 with half a document": response(201, _TEXT.encode()[:-2]),
    "201 too deep": response(201, b"[" * 100_000),
    "201 with a problem": response(201, problem(403, "DNC_BLOCKED")),
    "201 that says blocked": response(201, approval(verdict="blocked")),
    "201 that says APPROVED": response(201, approval(verdict="APPROVED")),
    "201 that says true": response(201, approval(verdict=True)),
    "201 without a verdict": response(201, approval(verdict=None)),
    "201 for another number": response(201, approval(to="+14155550112")),
    "201 for another caller id": response(201, approval(**{"from": "+12125550101"})),
    "201 for a text": response(201, approval("sms")),
    "201 without a number": response(201, approval(to=None)),
    "201 without an id": response(201, approval(id=None)),
    "201 with a number for an id": response(201, approval(id=7)),
    "201 with an id that leads elsewhere": response(201, approval(id="../suppressions/%2B14155550111")),
    "201 with an id that no address can hold": response(201, approval(id="\ud800" * 8)),
    "201 with a lease that leads elsewhere": response(201, _changed_lease(id="../suppressions/x")),
    "201 without a lease": response(201, approval(lease=None)),
    "201 with an empty lease": response(201, approval(lease={})),
    "201 with a text for a lease": response(201, approval(lease="yes")),
    "201 with a lease without id": response(201, _changed_lease(id=None)),
    "201 with a lease without end": response(201, _changed_lease(expires_at=None)),
    "201 with a lease that ends whenever": response(201, _changed_lease(expires_at="whenever")),
    "403 without a document": response(403, b"Forbidden by the firewall", kind="text/plain"),
    "404 with a page": response(404, b"<html>", kind="text/html"),
    "429 without a document": response(429, b"slow down"),
    "502": response(502, b"<html>Bad Gateway</html>", "Retry-After: 1"),
    "504": response(504, b""),
    "a problem for another status": response(403, problem(429, "RATE_LIMITED")),
    "a problem without a code": response(403, problem(403, "X") | {"code": None}),
    "a problem with a list of details": response(403, problem(403, "X") | {"detail": ["a"]}),
    **{f"cut off after {len(cut)} bytes": cut for cut in broken(response(201, GOOD))},
}  # fmt: skip
# Two that the Python client alone can tell: JSON.parse takes the last of two names.
LIES_BETWEEN_NAMES: dict[str, Reply] = {
    "201 with two verdicts": response(201, _TEXT.replace('"verdict"', '"verdict": "blocked", "verdict"').encode()),
    "201 with NaN": response(201, _TEXT.replace('"capacity": 9', '"capacity": NaN').encode()),
}  # fmt: skip
REFUSALS: dict[str, tuple[bytes, str]] = {
    "403": (refusing(403, "DNC_BLOCKED", violations=VIOLATIONS, intent_id="i"), "Refused"),
    "422 of a text": (refusing(422, "CONTENT_BLOCKED", violations=VIOLATIONS[:1]), "Refused"),
    "429 of a full pool": (
        refusing(429, "CHANNEL_BUDGET_EXCEEDED", "Retry-After: 99", violations=VIOLATIONS[:1], retry_after=99),
        "Refused",
    ),
    "429 of a key": (refusing(429, "RATE_LIMITED", "Retry-After: 99", retry_after=99), "Refused"),
    "400": (refusing(400, "BAD_REQUEST", errors=[{"field": "to", "reason": "r", "pointer": "/to"}]), "Faulty"),
    "401": (refusing(401, "UNAUTHORIZED"), "Faulty"),
    "403 of a scope": (refusing(403, "FORBIDDEN"), "Faulty"),
    "422": (refusing(422, "VALIDATION_ERROR", errors=[]), "Faulty"),
    "503": (refusing(503, "SERVICE_UNAVAILABLE", "Retry-After: 99"), "Unavailable"),
    "409": (refusing(409, "CONFLICT"), "Unavailable"),
}  # fmt: skip
