"""An account's policy between its stored JSON and the values that guardrails read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.durations import duration_seconds, duration_text
from app.guardrail.facts import AccountPolicy, Cap, ContentPolicy, HouseWindow, SnowshoePolicy


def minutes_of(clock: str) -> int:
    """Minutes since midnight of ``HH:MM``; ``24:00`` is the end of the day."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def clock_of(minutes: int) -> str:
    """``HH:MM`` of the minutes since midnight."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def read_policy(stored: Mapping[str, Any], version: int) -> AccountPolicy:
    """The policy of a stored document; a member that it lacks has its default."""
    house = stored.get("house_window") or {}
    content = stored.get("content") or {}
    default, spread = HouseWindow(), content.get("snowshoe") or {}
    usual = SnowshoePolicy()
    return AccountPolicy(
        version=version,
        house_window=HouseWindow(
            minutes_of(house["start"]) if "start" in house else default.start_minute,
            minutes_of(house["end"]) if "end" in house else default.end_minute,
        ),
        caps=tuple(
            Cap(cap["max"], duration_seconds(cap["period"]), frozenset(cap["counts"]))
            for cap in stored.get("caps", ())
        ),
        content=ContentPolicy(
            allow=frozenset(content.get("allow", ())),
            block_phrases=tuple(content.get("block_phrases", ())),
            allow_phrases=tuple(content.get("allow_phrases", ())),
            severities=dict(content.get("severities", {})),
            phone_numbers=content.get("phone_numbers", True),
            snowshoe=SnowshoePolicy(
                action=spread.get("action", usual.action),
                senders=spread.get("senders", usual.senders),
                numbers=spread.get("numbers", usual.numbers),
                window_seconds=duration_seconds(spread["window"])
                if "window" in spread
                else usual.window_seconds,
            ),
        ),
        unknown_location=stored.get("unknown_location", "block"),
        informational_windows=stored.get("informational_windows", "all"),
        trust_recipient=stored.get("trust_recipient", False),
        names=tuple(stored.get("names", ())),
        domains=tuple(stored.get("domains", ())),
        phones=tuple(stored.get("phones", ())),
    )


def write_policy(policy: AccountPolicy) -> dict[str, Any]:
    """The whole policy as the document that the API answers and the account's row stores."""
    content = policy.content
    return {
        "house_window": {
            "start": clock_of(policy.house_window.start_minute),
            "end": clock_of(policy.house_window.end_minute),
        },
        "caps": [
            {"max": cap.max, "period": duration_text(cap.period_seconds), "counts": sorted(cap.counts)}
            for cap in policy.caps
        ],
        "content": {
            "allow": sorted(content.allow),
            "block_phrases": list(content.block_phrases),
            "allow_phrases": list(content.allow_phrases),
            "severities": dict(content.severities),
            "phone_numbers": content.phone_numbers,
            "snowshoe": {
                "action": content.snowshoe.action,
                "senders": content.snowshoe.senders,
                "numbers": content.snowshoe.numbers,
                "window": duration_text(content.snowshoe.window_seconds),
            },
        },
        "unknown_location": policy.unknown_location,
        "informational_windows": policy.informational_windows,
        "trust_recipient": policy.trust_recipient,
        "names": list(policy.names),
        "domains": list(policy.domains),
        "phones": list(policy.phones),
    }
