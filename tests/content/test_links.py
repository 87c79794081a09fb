"""Every form of a link, and what only looks like one."""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy


def link_rules(scanner: ContentScanner, body: str) -> set[str]:
    policy = AccountPolicy(domains=("acme.com",))
    return {f.rule for f in scanner.scan(body, policy, False).findings if f.rule.startswith("link.")}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("see evil.com", {"link.offbrand"}),
        ("see evil.co.uk:8080/x.", {"link.offbrand"}),
        ("see WWW.EVIL.COM", {"link.offbrand"}),
        ("see https://sub.bit.ly/x", {"link.offbrand", "link.shortener"}),
        ("see bit.ly", {"link.offbrand", "link.shortener"}),
        ("see https://amzn.to/3x", {"link.offbrand"}),
        ("see http://acme.com", {"link.insecure"}),
        ("see http://3405803785/x", {"link.ip", "link.insecure", "link.offbrand"}),
        ("see https://0xcb007109", {"link.ip", "link.offbrand"}),
        ("see https://0313.0.0161.011/a", {"link.ip", "link.offbrand"}),
        ("see https://[2001:db8::1]:80/a", {"link.ip", "link.offbrand"}),
        ("see 203.0.113.9/login", {"link.ip", "link.offbrand"}),
        ("see https://①⑨②.0.2.1/x", {"link.ip", "link.offbrand", "evasion"}),
        ("see https://xn--pypal-4ve.com", {"link.idn", "link.offbrand"}),
        ("see https://раураl.com", {"link.idn", "link.offbrand"}),
        ("see https://аррӏе.com", {"link.idn", "link.offbrand"}),
        ("see https://acme.com@evil.net/x", {"link.disguised", "link.offbrand"}),
        ("see hxxp://evil.net", {"link.disguised", "link.insecure", "link.offbrand"}),
        ("see evil[.]net", {"link.disguised", "link.offbrand"}),
        ("see evil (dot) net", {"link.disguised", "link.offbrand"}),
        ("see https://evil。net/x", {"link.offbrand"}),
    ],
)
def test_links(scanner: ContentScanner, body: str, expected: set[str]) -> None:
    assert link_rules(scanner, body) == {rule for rule in expected if rule.startswith("link.")}


@pytest.mark.parametrize(
    "body",
    [
        "mail us at info@evil.com today",
        "We open at 9 a.m. and close at 5 p.m. daily",
        "Done.Thanks",
        "version 1.2.3.4 is out",
        "It costs $1.204.33 or 3.50",
        "See menu.pdf",
        "New sign-in from IP 203.0.113.9",
        "https://acme.com/menu and shop.acme.com",
        "Open 24/7, and/or by phone",
        "the dot com bubble",
        "München: https://acme.com/münchen",
    ],
)
def test_what_is_no_link_or_an_own_one(scanner: ContentScanner, body: str) -> None:
    assert link_rules(scanner, body) == set()
