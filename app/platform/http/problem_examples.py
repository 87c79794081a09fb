"""What refusals carry besides what every problem does, as samples for their pages and for the description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NUMBER = "+14155551234"
_AGAIN = "2026-11-21T17:00:00Z"

# By slug: the members of the problem, and of its first violation besides type, code and detail.
_REFUSALS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dnc-blocked": (
        {},
        {
            "guardrail": "suppression",
            "list": "account",
            "channel": "all",
            "source": "manual",
            "reason": "asked us on the phone",
            "created_at": "2026-11-20T15:04:05Z",
            "expires_at": None,
        },
    ),
    "tcpa-blocked": (
        {"next_allowed_at": _AGAIN},
        {
            "guardrail": "calling_window",
            "next_allowed_at": _AGAIN,
            "rules": [
                {
                    "id": "US",
                    "citation": "47 CFR 64.1200(c)(1); 16 CFR 310.4(c)",
                    "timezone": "America/Los_Angeles",
                    "local_time": "2026-11-20T22:30:00-08:00",
                    "reason": "open 8:00 AM - 9:00 PM only",
                }
            ],
            "timezones": ["America/Los_Angeles"],
            "regions": ["US-CA"],
            "local_times": ["2026-11-20T22:30:00-08:00"],
        },
    ),
    "frequency-capped": (
        {"cap": "US-FL", "next_allowed_at": _AGAIN},
        {
            "guardrail": "frequency",
            "cap": "US-FL",
            "max": 3,
            "period": "PT24H",
            "counts": ["call", "sms"],
            "citation": "Fla. Stat. 501.616(6)(b)",
            "next_allowed_at": _AGAIN,
        },
    ),
    "content-blocked": (
        {},
        {
            "guardrail": "content",
            "findings": [
                {
                    "rule": "gambling",
                    "severity": "block",
                    "start": 18,
                    "end": 24,
                    "excerpt": "casino",
                    "why": "Gambling, betting or casino promotion.",
                    "remedy": "Only a carrier-approved, licensed and age-gated programme may send it.",
                }
            ],
        },
    ),
    "channel-budget-exceeded": (
        {"scope": "pool:default", "limit": 100, "retry_after": 5},
        {"guardrail": "channel", "scope": "pool:default", "limit": 100, "used": 100, "retry_after": 5},
    ),
}


def refusal_members(slug: str, type_uri: str, code: str, detail: str) -> dict[str, Any]:
    """The members of a refusal's sample; none for a problem of another kind."""
    if slug not in _REFUSALS:
        return {}
    members, violation = _REFUSALS[slug]
    detail = detail.replace("{number}", _NUMBER)
    return {
        "intent_id": "019aa8a5-6d80-7cc3-98c4-dc0c0c07398f",
        **members,
        "violations": [{"type": type_uri, "code": code, "detail": detail, **violation}],
    }
