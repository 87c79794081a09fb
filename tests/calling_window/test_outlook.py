"""The look ahead, its document, its picture and its lines in a terminal."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from app.calling_window import WindowForecast, open_intervals, outlook_document
from app.calling_window.picture import timeline_svg
from app.calling_window.terminal_timeline import timeline
from app.guardrail.facts import AccountPolicy, Emergency, Facts, Intent
from app.law import law_page
from app.law import window_loader as calling_windows
from app.law.window_rules import WindowRules
from tests.calling_window.asking import LAW_ALONE, consent, find, instant

SVG = "{http://www.w3.org/2000/svg}"
TALLAHASSEE = "+18505550123"


def look(
    rules: WindowRules, number: str, start: str, days: int = 2, facts: Facts | None = None, **hints: Any
) -> WindowForecast:
    intent = Intent("call", number, "+12125550100", purpose=hints.pop("purpose", "marketing"))
    return open_intervals(intent, find(number, **hints), facts or Facts(), rules, instant(start), days)


def printed(forecast: WindowForecast) -> str:
    out = io.StringIO()
    Console(file=out, width=140, color_system="truecolor", force_terminal=True).print(timeline(forecast))
    return out.getvalue()


def test_the_document(rules: WindowRules) -> None:
    document: Any = outlook_document(look(rules, TALLAHASSEE, "2026-12-01T00:00:00Z", 1))
    assert document["number"] == TALLAHASSEE
    assert (document["from"], document["until"]) == ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")
    # 9:00 Central is 15:00 UTC; 20:00 Eastern is 01:00 UTC, so the first hour is open as well.
    assert [(span["opens_at"], span["closes_at"]) for span in document["open"]] == [
        ("2026-12-01T00:00:00Z", "2026-12-01T01:00:00Z"),
        ("2026-12-01T15:00:00Z", "2026-12-02T00:00:00Z"),
    ]
    assert document["open"][1]["local"] == [
        {
            "timezone": "America/Chicago",
            "opens_at": "2026-12-01T09:00:00-06:00",
            "closes_at": "2026-12-01T18:00:00-06:00",
        },
        {
            "timezone": "America/New_York",
            "opens_at": "2026-12-01T10:00:00-05:00",
            "closes_at": "2026-12-01T19:00:00-05:00",
        },
    ]
    assert document["timezones"][0]["because"] == ["area code 850"]
    florida = next(rule for rule in document["rules"] if rule["id"] == "US-FL")
    assert florida["citation"].startswith("Fla. Stat. 501.616")
    assert florida["confidence"] == "high"
    assert florida["source"]
    # Florida closes at 20:00 on either clock and opens at 8:00: 01:00 to 14:00 UTC. Of that 01:00-02:00 is
    # closed by nothing else: the house is open until 21:00 Eastern.
    assert florida["removed"] == [{"from": "2026-12-01T01:00:00Z", "until": "2026-12-01T14:00:00Z"}]
    assert florida["removed_alone_seconds"] == 3600


def test_a_holiday_is_named(rules: WindowRules) -> None:
    document: Any = outlook_document(look(rules, "+12055550123", "2026-11-26T12:00:00Z", 1))
    alabama = next(rule for rule in document["rules"] if rule["id"] == "US-AL")
    assert alabama["holidays"] == [{"date": "2026-11-26", "name": "Thanksgiving Day"}]


def test_consents_and_emergencies_are_told(rules: WindowRules) -> None:
    facts = Facts(
        policy=LAW_ALONE,
        consents=(consent("express", "2026-01-01T00:00:00Z"),),
        emergencies=(Emergency("US-LA", instant("2026-12-01T12:00:00Z")),),
    )
    document: Any = outlook_document(look(rules, "+15045550123", "2026-12-01T00:00:00Z", 1, facts))
    by_id = {rule["id"]: rule for rule in document["rules"]}
    assert by_id["US"]["lifted_by_consent"] == "consent-express"
    assert by_id["US"]["removed"] == []
    assert by_id["emergency:US-LA"]["removed"] == [
        {"from": "2026-12-01T00:00:00Z", "until": "2026-12-01T12:00:00Z"}
    ]
    assert document["open"][0]["opens_at"] == "2026-12-01T14:00:00Z"


def test_the_picture_is_one_bar_per_clock(rules: WindowRules) -> None:
    forecast = look(rules, TALLAHASSEE, "2026-12-01T00:00:00Z", 7)
    root = ET.fromstring(timeline_svg(forecast))
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    described = root.find(f"{SVG}desc")
    assert described is not None
    assert "8 open windows of 70.0 hours together over 7 days" in str(described.text)
    rectangles = list(root.iter(f"{SVG}rect"))
    # Two bars and a swatch of the legend.
    assert sum(item.get("class") == "closed" for item in rectangles) == 2 + 1
    assert sum(item.get("class") == "open" for item in rectangles) == 2 * len(forecast.open) + 1
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {"America/Chicago", "America/New_York", "US-FL"} <= words
    for item in rectangles:
        assert float(item.get("x", "0")) >= 0
        assert float(item.get("x", "0")) + float(item.get("width", "0")) <= 1000.01


def test_the_picture_escapes_what_it_is_given(rules: WindowRules) -> None:
    forecast = replace(look(rules, TALLAHASSEE, "2026-12-01T00:00:00Z"), to='<script>&"')
    picture = timeline_svg(forecast)
    assert "<script" not in picture
    ET.fromstring(picture)


def test_an_unknown_place_and_an_emergency_have_pictures_too(rules: WindowRules) -> None:
    unknown = look(rules, "+18005550199", "2026-12-01T00:00:00Z")
    assert unknown.open == ()
    assert "recipient.postal_code" in timeline_svg(unknown)
    assert "toll_free" in printed(unknown)
    anyhow = look(rules, "+18005550199", "2026-12-01T00:00:00Z", purpose="emergency")
    assert anyhow.open == ((anyhow.start, anyhow.end),)
    ET.fromstring(timeline_svg(anyhow))
    assert "at any time" in printed(anyhow)


def test_a_picture_of_the_whole_country_stays_within_its_frame(rules: WindowRules) -> None:
    strictest = Facts(policy=AccountPolicy(unknown_location="strictest"))
    forecast = look(rules, "+18005550199", "2026-12-02T00:00:00Z", 14, strictest)
    assert forecast.open
    root = ET.fromstring(timeline_svg(forecast))
    words = [str(text.text) for text in root.iter(f"{SVG}text")]
    assert any("more" in text for text in words)
    # The gutter is 190 wide, a small letter about 6.
    assert all(len(text) < 32 for text in words if text.startswith("US-") or text.startswith("CA-"))


def test_the_terminal_says_the_same(rules: WindowRules) -> None:
    text = printed(look(rules, TALLAHASSEE, "2026-12-01T06:00:00Z", 1))
    assert "America/Chicago" in text
    assert "Tue  1 Dec" in text
    assert "09:00-19:00" in text
    assert "10:00-20:00" in text
    assert "\x1b[32m█" in text
    assert "Fla. Stat. 501.616(6)(a)-(b); 501.059" in text


def test_the_page_of_the_law_is_in_step() -> None:
    page = Path(calling_windows.__file__).parents[2] / "docs" / "law.md"
    written = page.read_text(encoding="utf-8")
    assert written == law_page.page(calling_windows.load())


def test_the_page_names_every_rule_with_its_citation(rules: WindowRules) -> None:
    page = law_page.page(rules)
    for rule in rules.rules:
        assert f"| `{rule.id}` |" in page
        assert rule.adds_nothing or rule.citation in page
