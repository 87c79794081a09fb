"""Words that a reader repairs without noticing are read as repaired; words of their own are left alone."""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from tests.content.probes import blocking


@pytest.mark.parametrize(
    ("body", "rule", "read"),
    [
        ("Acme: play at our csaino tonight", "gambling", "casino"),
        ("Acme: c&#97;s&#105;no chips for you", "gambling", "casino"),
        ("Acme: meet us, cas\nino night on Friday", "gambling", "casino"),
        ("Acme: ca(xx)sino chips for you", "gambling", "casino"),
        ("Acme: ComeToOurCasinoTonight", "gambling", "casino"),
        ("Acme: c*sino chips for you", "gambling", "casino"),
        ("Acme: pyaday lonas here", "finance.payday", "payday loans"),
        ("ʇɥƃᴉuoʇ ouᴉsɐɔ ɹno ʇɐ ʎɐld", "gambling", "casino"),
    ],
)
def test_what_was_read_is_told(scanner: ContentScanner, body: str, rule: str, read: str) -> None:
    assert rule in blocking(scanner, body)
    findings = scanner.scan(body, AccountPolicy(), False).findings
    told = [finding.why for finding in findings if finding.rule == "evasion.misspelled"]
    assert told
    assert any(read in why for why in told)
    for finding in findings:
        assert 0 <= finding.start < finding.end <= len(body)


@pytest.mark.parametrize(
    "body",
    [
        "Acme: your form is ready, come from the back",
        "Acme: PayPal, YouTube and iPhone cases are on our shelves",
        "Acme: rates &amp; hours on the door",
        "Acme: line one ends\nand line two begins",
        "Acme: bring your pet(s) and their bowl(s)",
        "Acme: Marisol and Casimir wait for you",
        "Acme: appt w/ Dr Brkly at the hwy",
        "Acme: 5* hotel, rated 4.5*",
        "Acme: dinner (BYOB) at Ann's",
    ],
)
def test_honest_writing_is_not_repaired_into_anything(scanner: ContentScanner, body: str) -> None:
    assert scanner.scan(body, AccountPolicy(), False).findings == ()


def test_references_are_no_disguise(scanner: ContentScanner) -> None:
    for body in (
        "Ref 8f3a9c1b7e2d is yours",
        "Ticket a1b2c3d4, id 9f8e7d6c5b4a",
        "Hash 0x3fe9a1 of ann@12x9",
    ):
        assert scanner.scan(body, AccountPolicy(), False).findings == ()


@pytest.mark.parametrize(
    "body",
    [
        "We have 3 free slots on Tuesday at 2 and 4 PM",
        "The office is closed for the storm, please work from home",
        "Drink up, it will be 99 degrees",
        "Dinner at Ann's: five courses, wine pairing included",
        "Your accident settlement check is here, call our office",
        "The seller accepted a cash offer on Elm Street",
        "Naloxone is free and without a prescription at the pharmacy",
        "This cannot be sold without a prescription",
        "Kennel: your bitch and her puppies are due Monday",
        "Police: gun amnesty on Saturday at the fire house",
    ],
)
def test_a_bare_phrase_needs_its_company(scanner: ContentScanner, body: str) -> None:
    assert blocking(scanner, body) == set()


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("Play free slots now and win coins", "gambling"),
        ("Work from home and earn $900 a week", "finance.getrich"),
        ("May I use one of your photos? You will get paid weekly", "finance.getrich"),
        ("Business funding: get approved in 24 hours", "finance.payday"),
        ("Drank the water at Camp Lejeune? You may be owed compensation", "leadgen.thirdparty"),
        ("You were awarded the sum of $90,000. Kindly contact the agent", "phish.prize"),
    ],
)
def test_with_its_company_it_blocks(scanner: ContentScanner, body: str, rule: str) -> None:
    assert rule in blocking(scanner, body)
