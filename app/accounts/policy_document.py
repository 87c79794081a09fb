"""An account's policy between its stored JSON and the values that guardrails read."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from app.durations import duration_seconds, duration_text
from app.guardrail.facts import (
    AbandonmentPolicy,
    AccountPolicy,
    Cap,
    ConsentPolicy,
    ContentPolicy,
    HouseWindow,
    SnowshoePolicy,
)


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
        caps=tuple(_cap(cap) for cap in stored.get("caps", ())),
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
        consent=read_consent(stored.get("consent", "law")),
        callers=tuple(stored.get("callers", ())),
        callers_only=stored.get("callers_only", False),
        abandonment=_abandonment(stored.get("abandonment")),
        missing_lists=stored.get("missing_lists", "warn"),
        phones=tuple(stored.get("phones", ())),
    )


def read_consent(stored: str | Mapping[str, Any]) -> ConsentPolicy:
    """One word for both channels, or one for each; a channel that is not named is left to the law."""
    if isinstance(stored, str):
        stored = {"call": stored, "sms": stored}
    return ConsentPolicy(**{channel: word for channel, word in stored.items() if word is not None})


def write_consent(consent: ConsentPolicy) -> str | dict[str, str]:
    """As ``read_consent`` takes it: one word where both channels have the same."""
    return consent.call if consent.call == consent.sms else {"call": consent.call, "sms": consent.sms}


def write_policy(policy: AccountPolicy) -> dict[str, Any]:
    """The whole policy as the document that the API answers and the account's row stores."""
    content = policy.content
    return {
        "house_window": {
            "start": clock_of(policy.house_window.start_minute),
            "end": clock_of(policy.house_window.end_minute),
        },
        "caps": [_written_cap(cap) for cap in policy.caps],
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
        "consent": write_consent(policy.consent),
        "callers": list(policy.callers),
        "callers_only": policy.callers_only,
        "abandonment": _written_abandonment(policy.abandonment),
        "missing_lists": policy.missing_lists,
        "phones": list(policy.phones),
    }


def _cap(stored: Mapping[str, Any]) -> Cap:
    results = stored.get("results")
    return Cap(
        stored["max"],
        duration_seconds(stored["period"]),
        frozenset(stored["counts"]),
        frozenset(results) if results else None,
        stored.get("per") or "number",
    )


def _written_cap(cap: Cap) -> dict[str, Any]:
    """What a cap of an earlier release could not say is left out where it has its default."""
    written: dict[str, Any] = {
        "max": cap.max,
        "period": duration_text(cap.period_seconds),
        "counts": sorted(cap.counts),
    }
    if cap.results is not None:
        written["results"] = sorted(cap.results)
    if cap.per != "number":
        written["per"] = cap.per
    return written


def _abandonment(stored: Mapping[str, Any] | None) -> AbandonmentPolicy | None:
    if stored is None:
        return None
    # As it was written: 0.03 is 3 of 100, and not the nearest binary fraction.
    share, days = Fraction(str(stored["max"])), duration_seconds(stored["period"]) // 86_400
    return AbandonmentPolicy(share, days, stored["action"])


def _written_abandonment(policy: AbandonmentPolicy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    return {"max": float(policy.max), "period": f"P{policy.days}D", "action": policy.action}
