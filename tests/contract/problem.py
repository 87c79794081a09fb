"""What every problem document must be, checked in one place."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from tests.service import Answer

# The contract's table (section 2), written down here by hand: slug, status, title.
TABLE = {
    "bad-request": (400, "Bad Request"),
    "unauthorized": (401, "Unauthorized"),
    "forbidden": (403, "Forbidden"),
    "not-found": (404, "Not Found"),
    "method-not-allowed": (405, "Method Not Allowed"),
    "conflict": (409, "Conflict"),
    "gone": (410, "Gone"),
    "payload-too-large": (413, "Payload Too Large"),
    "unsupported-media-type": (415, "Unsupported Media Type"),
    "validation-error": (422, "Validation Error"),
    "rate-limited": (429, "Too Many Requests"),
    "dnc-blocked": (403, "DNC Blocked"),
    "consent-required": (403, "Consent Required"),
    "tcpa-blocked": (403, "TCPA Blocked"),
    "frequency-capped": (403, "Frequency Capped"),
    "abandonment-exceeded": (403, "Abandonment Exceeded"),
    "content-blocked": (422, "Content Blocked"),
    "channel-budget-exceeded": (429, "Channel Budget Exceeded"),
    "internal": (500, "Internal Server Error"),
    "service-unavailable": (503, "Service Unavailable"),
}


def check_document(document: dict[str, Any], slug: str, base_url: str) -> None:
    """The members that every problem has, and those that its type has besides."""
    status, title = TABLE[slug]
    assert document["type"] == f"https://api.trunx.io/errors/{slug}", document
    assert document["title"] == title
    assert document["status"] == status
    assert document["code"] == slug.upper().replace("-", "_")
    assert document["docs"] == f"{base_url}/errors/{slug}"
    assert re.fullmatch(r".{10,}[.]", document["detail"], re.DOTALL), document["detail"]
    assert document["instance"].startswith("urn:uuid:")
    UUID(document["instance"].removeprefix("urn:uuid:"))
    if status in (429, 503):
        assert isinstance(document["retry_after"], int)
        assert document["retry_after"] >= 1
    for fault in document.get("errors", []):
        assert set(fault) == {"field", "reason", "pointer"}
        assert fault["reason"]


def check_problem(answer: Answer, slug: str, base_url: str) -> dict[str, Any]:
    """The problem in the answer, after checking all that a problem of that type must be."""
    status, _ = TABLE[slug]
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    document: dict[str, Any] = answer.json()
    check_document(document, slug, base_url)
    if status in (429, 503):
        assert answer.headers["retry-after"] == str(document["retry_after"])
    if status == 401:
        assert answer.headers["www-authenticate"].split()[0] == "Bearer"
    return document
