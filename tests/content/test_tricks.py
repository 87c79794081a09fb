"""Tricks of plain ASCII: what a reader mends is read as mended, and what honest senders write like it is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from benchmarks.tricks import MORE_TRICKS, TRICKS
from benchmarks.verdicts import disguised_texts
from tests.content.probes import blocking


def rules(scanner: ContentScanner, body: str) -> dict[str, str]:
    found = scanner.scan(body, AccountPolicy(), False).findings
    return {finding.rule: finding.severity for finding in found}


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("ACME: CASlNO NIGHT ON FRIDAY", "gambling"),
        ("Acme: pay day Ioans, payday Ioans", "finance.payday"),
        ("Acme: our caslno has free splns", "gambling"),
        ("Acme: garnbling is open all night at the casino", "gambling"),
        ("Acme: kazino chips for you", "gambling"),
        ("Acme: cas ino chips for you", "gambling"),
        ("Acme: c asino chips for you", "gambling"),
        ("Acme: cas-\nino chips for you", "gambling"),
        ("Acme: cas'ino chips for you", "gambling"),
        ("Acme: cas&ino chips for you", "gambling"),
        ("Acme: cas....ino chips for you", "gambling"),
        ("Acme: cas<b>ino</b> chips for you", "gambling"),
        ("Acme: cas<!-- x -->ino chips for you", "gambling"),
        ("Acme: %63asi%6eo ch%69ps for you", "gambling"),
        ("Acme: \\u0063asi\\u006eo ch\\u0069ps for you", "gambling"),
        ("Acme: =63asi=6Eo ch=69ps for you", "gambling"),
        ("Acme: c&amp;#97;s&amp;#105;no chips for you", "gambling"),
        ("Acme: c&#97s&#105no chips for you", "gambling"),
        ("Acme: payday*loans today", "finance.payday"),
        ("Acme: payday... loans today", "finance.payday"),
        ("Acme: payday :) loans today", "finance.payday"),
        ("Acme: **pay**day **lo**ans today", "finance.payday"),
        ("Acme: casin() chips for you", "gambling"),
        ("Acme: c/\\sino chips for you", "gambling"),
        ("Acme: (asino chips for you", "gambling"),
        ("Acme: c#sino chips for you", "gambling"),
        ("Acme: cas9ino chips for you", "gambling"),
        ("Acme: *asino chips for you", "gambling"),
    ],
)
def test_what_a_reader_mends_is_read_as_mended(scanner: ContentScanner, body: str, rule: str) -> None:
    assert rule in blocking(scanner, body)
    for finding in scanner.scan(body, AccountPolicy(), False).findings:
        assert 0 <= finding.start < finding.end <= len(body)


@pytest.mark.parametrize(
    "body",
    [
        "Ioana, your visit with Dr. Kiara Zlatan is on 3/4",
        "Gymnastiks R Us: Kidz kamp starts Monday",
        "Bookle: twenty percent off all novels",
        "O'Neil's Hardware: rock'n'roll paint, y'all",
        "We're open... spin class at 6, yoga at 7",
        "Wine & cheese night is sold out. AT&T is down, too",
        "**REMINDER** Your class is at 6 PM, **bring water**",
        "Your order {#4411} is ready <3 x^2 + y^2",
        "20%off cakes, 15%add-on for candles, 10%extra, 5%bonus",
        "Acme Clinic:\nflu shots\ntoday 9-5\nwalk in",
        "Gratuity (15%) included. Cash(ier) at front, pick 1(one)",
        "Repos and orgs are listed by name",
        "Gate b2b, room h2o, form w2x, model s3s",
        "*All prices in USD. *Terms apply",
    ],
)
def test_what_honest_senders_write_like_it_is_left_alone(scanner: ContentScanner, body: str) -> None:
    assert rules(scanner, body) == {}


@pytest.mark.parametrize(
    "link",
    [
        "bit .ly/x", "bit. ly/x", "bit . ly/x", "bit,ly/x", "bit dot ly/x", "tinyurl com/abc", "is .gd/x",
        "evil .net/x", "evil .com", "evil. com/x", "evil. com", "evil .xyz", "evil,com/x", "evil*com",
        "evil_com/x", "evil..com/x", "evil com/x", "evil.c0m/x", "evil.corn/x", "evil.c o m", "evil-dot-com",
        "www evil com", "evil.\ncom/x",
    ],
)  # fmt: skip
def test_a_link_that_its_reader_mends_is_a_link_and_a_disguise(scanner: ContentScanner, link: str) -> None:
    assert "link.disguised" in blocking(scanner, f"Have a look at {link}")
    assert "phish.account" in blocking(scanner, f"Your account is locked. Verify it at {link}")


@pytest.mark.parametrize("sign", ["-", "_", "+", "@", "/", "."])
def test_a_sign_before_a_link_hides_none(scanner: ContentScanner, sign: str) -> None:
    assert "phish.account" in blocking(scanner, f"Your account is locked. Verify it at {sign}evil.com/x")


@pytest.mark.parametrize(
    "body",
    [
        "Welcome, come in and/or call us 24/7",
        "Mr. Lee/Ann will see you at 5 p.m. in/out of town",
        "Bring both forms and no tie. Com. Smith presides",
        "Learn .NET online with us. ASP .NET and C# classes",
        "Menu: soup/salad, coffee/tea. Size S/M/L. Cab/limo at door",
        "Your results are in. Me/you can review them, co/op meeting at 6",
        "See acme.com. Call if lost. Or shop.acme.com, or ann@acme.com",
        "Dance comp tonight, complete the form. Company comes at 6",
    ],
)
def test_an_honest_sentence_is_no_broken_link(scanner: ContentScanner, body: str) -> None:
    assert "link.disguised" not in rules(scanner, body)


@pytest.mark.parametrize(("tricks", "bar"), [(TRICKS, 0.88), (MORE_TRICKS, 0.88)])
def test_of_all_tricks_the_share_that_is_seen_through_stays_above_its_bar(
    scanner: ContentScanner, tricks: dict[str, Callable[[str], str]], bar: float
) -> None:
    texts = [trick(text) for trick in tricks.values() for text in disguised_texts()]
    caught = sum(bool(blocking(scanner, text)) for text in texts)
    assert caught >= bar * len(texts)
