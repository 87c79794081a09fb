"""The probes of earlier rounds stay right, once the packs were mended in general ways."""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy, ContentPolicy
from tests.content.probes import blocked, blocking, misread, missed
from tests.content.texts import read


def test_no_probe_is_missed_and_no_honest_one_is_blocked(scanner: ContentScanner) -> None:
    forbidden, honest = read("probes_block.txt"), read("probes_pass.txt")
    assert len(forbidden) >= 300
    assert len(honest) >= 400
    assert missed(scanner, forbidden) == []
    assert blocked(scanner, honest) == []


def test_first_texts_say_who_and_how_to_leave_in_three_languages(scanner: ContentScanner) -> None:
    for rule, body in read("probes_first_contact.txt"):
        found = blocking(scanner, body, first_contact=True)
        assert (rule in found) if rule != "complete" else found == set(), (rule, body, found)


def test_every_inbound_message_is_read_as_it_was_meant() -> None:
    inbound = read("probes_inbound.txt")
    assert sum(meaning == "opt_out" for meaning, _ in inbound) >= 120
    assert sum(meaning == "none" for meaning, _ in inbound) >= 120
    assert misread(inbound) == []


@pytest.mark.parametrize(
    ("body", "impostor"),
    [
        ("PayPal: accept your invoice at pp-invoices.example", True),
        ("[USPS] see usps-info.test/9 for your item", True),
        ("Notice from Chase: read chase-notes.example", True),
        ("PayPal: your receipt is at paypal.com/activity", False),
        ("DMV: book at dmv.ca.gov", False),
        ("Pay us with PayPal: harbordental.example/pay", False),
        ("Chase Tutoring: homework is at chasetutoring.example", False),
        ("Apple Barn: pick your own, hours on applebarn.example", False),
        ("Amazon: arriving today", False),
    ],
)
def test_who_opens_with_a_borrowed_name_must_lead_to_its_owner(
    scanner: ContentScanner, body: str, impostor: bool
) -> None:
    assert ("phish.account" in blocking(scanner, body)) is impostor


def test_the_name_s_owner_and_its_partner_may(scanner: ContentScanner) -> None:
    body = "PayPal: accept your invoice at pp-invoices.example"
    for policy in (AccountPolicy(names=("PayPal",)), AccountPolicy(domains=("pp-invoices.example",))):
        assert not scanner.scan(body, policy, False).blocks


def test_a_phone_number_is_found_only_where_the_policy_says_there_are_none(scanner: ContentScanner) -> None:
    none = AccountPolicy(content=ContentPolicy(phone_numbers=False))
    for body in ("Call (212) 555-0147 now", "text 415.555.0134", "at +44 20 7946 0958", "1-800-555-0199 x3"):
        found = scanner.scan(body, none, False).findings
        assert [(f.rule, f.severity) for f in found if f.rule == "phone.embedded"] == [
            ("phone.embedded", "warn")
        ]
        assert not [
            f for f in scanner.scan(body, AccountPolicy(), False).findings if f.rule == "phone.embedded"
        ]
    for body in ("Order 2125550147009 is out", "9400 1000 0000 0000 0000 00", "Room 212, floor 5, seat 0147"):
        assert not [f for f in scanner.scan(body, none, False).findings if f.rule == "phone.embedded"]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("Go to 0xC0A80001/pay", "link.ip"),
        ("0xc0a80001:8080 has it", "link.ip"),
        ("http://3232235777/", "link.ip"),
        ("http://0300.0250.1.1/", "link.ip"),
        ("http://[2001:db8::1]/", "link.ip"),
    ],
)
def test_an_address_in_any_notation(scanner: ContentScanner, body: str, rule: str) -> None:
    assert rule in blocking(scanner, body)


@pytest.mark.parametrize(
    "body", ["Firmware 0x1A2B3C4D is out", "Code 0xC0FFEE is today's", "1080x1920 prints"]
)
def test_a_number_in_hexadecimal_is_no_address(scanner: ContentScanner, body: str) -> None:
    assert blocking(scanner, body) == set()
