"""Who looked at the law, when, and how far their word carries."""

from __future__ import annotations

from datetime import date, timedelta

from app.law import window_loader as calling_windows


def test_what_nobody_looked_at_for_ninety_days_is_named() -> None:
    rules = calling_windows.load()
    assert rules.compiled is not None
    everything = len(rules.rules) + len(rules.calendars) + len(rules.caps)
    assert len(calling_windows.stale(rules, rules.compiled + timedelta(days=400))) == everything
    checked = rules.rule("US-PA").read.checked
    assert checked is not None
    assert "US-PA" not in calling_windows.stale(rules, checked + timedelta(days=90))
    assert calling_windows.stale(rules, checked + timedelta(days=91))["US-PA"] == checked


def test_no_rule_is_released_that_nobody_looked_at_for_ninety_days() -> None:
    rules = calling_windows.load()
    assert rules.compiled is not None
    assert calling_windows.stale(rules, rules.compiled) == {}
    assert all(checked <= rules.compiled for checked in calling_windows.stale(rules, date.max, 0).values())


def test_high_confidence_was_read_in_the_text() -> None:
    rules = calling_windows.load()
    high = [rule for rule in rules.rules if rule.confidence == "high"]
    assert len(high) >= 10
    for rule in high:
        assert rule.read.quote
        assert rule.read.quote_in in ("text", "mirror", "bill")
        assert rule.read.quote_read is not None


def test_the_forty_biggest_markets_have_a_rule_or_a_reason() -> None:
    rules = calling_windows.load()
    biggest = [
        "CN",
        "IN",
        "US",
        "ID",
        "BR",
        "RU",
        "PK",
        "NG",
        "JP",
        "BD",
        "MX",
        "PH",
        "VN",
        "DE",
        "TH",
        "IR",
        "EG",
        "TR",
        "ZA",
        "GB",
        "IT",
        "FR",
        "CO",
        "KR",
        "ET",
        "KE",
        "AR",
        "ES",
        "PL",
        "UA",
        "MM",
        "CA",
        "CD",
        "TZ",
        "MA",
        "DZ",
        "SA",
        "MY",
        "PE",
        "AU",
    ]
    assert len(biggest) == 40
    assert [country for country in biggest if not rules.of(country) and country not in rules.no_rule] == []
