"""What is suspicious about a link of somebody else's, and what is not."""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy
from tests.content.probes import blocking


def rules(scanner: ContentScanner, body: str, policy: AccountPolicy | None = None) -> dict[str, str]:
    found = scanner.scan(body, policy or AccountPolicy(), False).findings
    return {finding.rule: finding.severity for finding in found}


@pytest.mark.parametrize(
    "body",
    [
        "Read our notes at paypal-notes.example/a",
        "See wellsfargo-online.example",
        "Book at dmv.gov.renewals-desk.example/now",
        "Go to chase-secure.example",
        "regions-unlock.test has it",
    ],
)
def test_a_host_that_imitates_is_blocked(scanner: ContentScanner, body: str) -> None:
    assert "link.imitation" in blocking(scanner, body)


@pytest.mark.parametrize(
    "body",
    [
        "See chase.com/activity",
        "Homework is at chasetutoring.example/week",
        "Book at dmv.ca.gov",
        "The menu is at applebarn.example",
        "Store hours: shop.example.com.au/hours",
    ],
)
def test_a_host_that_only_resembles_or_is_the_name_s_own_is_not(scanner: ContentScanner, body: str) -> None:
    assert "link.imitation" not in rules(scanner, body)


def test_the_account_s_own_domain_may_bear_any_name(scanner: ContentScanner) -> None:
    policy = AccountPolicy(domains=("paypal-notes.example",))
    assert "link.imitation" not in rules(scanner, "Read our notes at paypal-notes.example/a", policy)


@pytest.mark.parametrize(
    "body",
    [
        "Your file is here //files.example/x1",
        "Look now:// @@ files.example/x1",
        "See http//:files.example/x1",
        "Then https:/go::http://files.example/a",
    ],
)
def test_a_broken_scheme_is_a_disguise(scanner: ContentScanner, body: str) -> None:
    assert "link.disguised" in blocking(scanner, body)


def test_a_whole_scheme_and_two_strokes_are_none(scanner: ContentScanner) -> None:
    for body in ("See https://files.example/a//b", "Open 9-5 // closed Sunday", "and/or // either"):
        assert "link.disguised" not in rules(scanner, body)


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ("Take your reward: q7xzv.example/aB3kD9", "block"),
        ("A gift waits at kTq4z.iNfo/Zr81xQp", "block"),
        ("The minutes are at https://notes.example/r/aB3kD9x", "warn"),
        ("Free gift at http://acme.info/offer", "warn"),
        ("See https://acme.example/spring-menu", None),
        ("Order at acme.shop/lunch", None),
        ("Win a gift card: https://acme.example/raffle", None),
        ("Go to go2bank.example/hours", None),
    ],
)
def test_weak_signs_add_up(scanner: ContentScanner, body: str, severity: str | None) -> None:
    assert rules(scanner, body).get("link.suspect") == severity


def test_signs_of_the_account_s_own_links_are_none(scanner: ContentScanner) -> None:
    policy = AccountPolicy(domains=("q7xzv.example",))
    assert rules(scanner, "Take your reward: https://q7xzv.example/aB3kD9", policy) == {}


def test_chats_and_free_hosts_warn_and_block_beside_a_lure(scanner: ContentScanner) -> None:
    assert rules(scanner, "Questions? We are on wa.me/12065550188")["link.chat"] == "warn"
    assert rules(scanner, "Join us and earn: t.me/paiddaily")["link.chat"] == "block"
    assert rules(scanner, "Earn with us, tap whatsapp://chat/?code=abc")["link.chat"] == "block"
    assert rules(scanner, "Our choir's page: valleychoir.weebly.com")["link.freehost"] == "warn"
    assert rules(scanner, "Verify it at valleychoir.weebly.com")["link.freehost"] == "block"


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("https://docs.google.com/forms/d/e/1FAIpQLSd/viewform", "link.form"),
        ("docs.google.com/u/0/forms/d/1FAIpQLSd", "link.form"),
        ("https://docs.google.com/a/acme.example/forms/d/1FAI", "link.form"),
        ("https://forms.gle/aB3kD9xQ", "link.form"),
        ("HTTPS://FORMS.OFFICE.COM/r/aB3kD9", "link.form"),
        ("acme.typeform.com/to/x1", "link.form"),
        ("https://form.jotform.com/242", "link.form"),
        ("https://paypal.me/annsmith/50", "link.pay"),
        ("https://www.paypal.com/paypalme/annsmith", "link.pay"),
        ("https://cash.app/$annsmith", "link.pay"),
        ("venmo.com/u/annsmith", "link.pay"),
    ],
)
def test_forms_and_pay_links_that_anybody_can_have_warn_and_block_beside_a_demand(
    scanner: ContentScanner, link: str, rule: str
) -> None:
    assert rules(scanner, f"Smith Piano: here is the link for Tuesday {link}")[rule] == "warn"
    assert rules(scanner, f"Your account is locked. Unlock it: {link}")[rule] == "block"
    assert rules(scanner, f"You are a winner! Take your prize {link}")[rule] == "block"


@pytest.mark.parametrize(
    "link",
    [
        "https://www.google.com/url?q=https://evil.example/x",
        "google.com/url?sa=t&url=https%3A%2F%2Fevil.example",
        "https://google.com/amp/s/evil.example/x",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fevil.example",
        "https://lm.facebook.com/l.php?u=x",
        "https://www.youtube.com/redirect?q=evil.example",
        "https://www.linkedin.com/safety/go?url=evil.example",
        "https://adclick.g.doubleclick.net/pcs/click?adurl=//evil.example",
    ],
)
def test_a_redirector_on_a_famous_host_blocks(scanner: ContentScanner, link: str) -> None:
    assert "link.redirect" in blocking(scanner, f"Riverside Dental: directions {link}")


@pytest.mark.parametrize(
    "body",
    [
        "Notes of the meeting: https://docs.google.com/document/d/1AbC_dEf",
        "Directions: https://www.google.com/maps/place/Riverside+Dental",
        "The video is at https://www.youtube.com/watch?v=abc",
        "We are on https://www.facebook.com/riversidedental",
        "Cash App: your receipt is at https://cash.app/help",
        "Your receipt: https://www.paypal.com/activity",
        "https://notforms.gle.example/x has our hours",
        "https://google.com/urls has our list",
    ],
)
def test_other_pages_of_those_hosts_are_neither(scanner: ContentScanner, body: str) -> None:
    assert not {"link.form", "link.pay", "link.redirect"} & set(rules(scanner, body))


@pytest.mark.parametrize(
    "body",
    [
        "Riverside School: please confirm your child's place by Friday https://forms.gle/aB3kD9xQ",
        "How was your visit? Take our survey: https://www.surveymonkey.com/r/aB3kD9",
        "Smith Piano: your invoice for May is $80, you can pay at https://paypal.me/smithpiano",
        "Free clinic on Saturday. Sign up: https://docs.google.com/forms/d/e/1FAIp/viewform",
    ],
)
def test_what_honest_forms_and_pay_links_are_about_is_no_trap(scanner: ContentScanner, body: str) -> None:
    assert blocking(scanner, body) == set()


def test_a_form_on_a_name_s_own_host_is_not_that_name_s(scanner: ContentScanner) -> None:
    body = "Google: confirm it is you {}"
    assert "phish.account" in blocking(
        scanner, body.format("https://docs.google.com/forms/d/e/1FAI/viewform")
    )
    assert blocking(scanner, body.format("https://myaccount.google.com/notifications")) == set()


def test_the_account_s_own_form_is_its_own(scanner: ContentScanner) -> None:
    policy = AccountPolicy(domains=("acme.typeform.com",))
    assert rules(scanner, "Your prize: https://acme.typeform.com/to/x1", policy) == {}


def test_a_mail_gateway_s_header_is_no_business_s(scanner: ContentScanner) -> None:
    assert "format.mail-header" in blocking(scanner, "FRM:Ann SUBJ:News MSG:See you at 5")
    assert "format.mail-header" not in rules(scanner, "From: Ann's Bakery. Your cake is ready")


def test_a_name_anywhere_beside_a_link_made_for_a_day_is_an_impostor_s(scanner: ContentScanner) -> None:
    assert "phish.account" in blocking(
        scanner, "Thanks for shopping, says Walgreens. Tap kx7qz.example/Ab3dE9x"
    )
    assert blocking(scanner, "We sell on Walgreens photo, see https://frames.example/prints") == set()


def test_a_shop_s_bare_name_beside_the_bank_s_own_link_is_a_merchant_s(scanner: ContentScanner) -> None:
    assert blocking(scanner, "Chase: a $20 purchase at BESTBUY.COM. See chase.com/activity") == set()


def test_no_phrase_is_found_inside_the_account_s_own_links(scanner: ContentScanner) -> None:
    body = "Acme Bank: your statement is ready https://acme.example/s?utm_campaign=account_suspended"
    assert rules(scanner, body, AccountPolicy(domains=("acme.example",))) == {}
    assert blocking(scanner, body) != set()


def test_the_account_s_own_numbers_are_no_strangers(scanner: ContentScanner) -> None:
    body = "Acme Bank: a card was charged $80 for a purchase. Not you? Call {}"
    own = AccountPolicy(phones=("+12065550188", "+442079460958", "72345"))
    for number in ("206-555-0188", "(206) 555-0188", "1 206 555 0188", "+44 20 7946 0958"):
        assert blocking(scanner, body.format(number)) != set()
        assert not scanner.scan(body.format(number), own, False).blocks
    assert scanner.scan(body.format("206-555-0199"), own, False).blocks
    assert scanner.scan(body.format("206-555-0188 or 206-555-0199"), own, False).blocks
    flowers = AccountPolicy(phones=("+18003569377",))
    assert not scanner.scan(body.format("1-800-FLOWERS"), flowers, False).blocks


def test_a_well_known_name_that_leads_to_its_own_pages_only_is_not_warned_of(scanner: ContentScanner) -> None:
    alarm = "Hulu: Update your card at {} to keep watching."
    assert rules(scanner, "Netflix: your account is on hold, see netflix.com/hold") == {}
    assert rules(scanner, "Chase: your card is locked. Unlock it at https://www.chase.com/unlock") == {}
    assert "phish.account" in blocking(scanner, alarm.format("hulu-billing.example/x"))
    # A stranger's number, another link, or a name that is somebody else's, and it is told of as before.
    assert blocking(scanner, "Chase: your card is locked. See chase.com/x or call 206-555-0188") != set()
    assert blocking(scanner, "Chase: your card is locked. See chase.com/x or unlock.example/x") != set()
    assert rules(scanner, "Netflix: your account is on hold, see the app")["phish.account"] == "warn"


@pytest.mark.parametrize(
    "body",
    [
        "Coach put our talk up: youtu.be/pR7yW2kQ9zA",
        "Rehearsal by video: https://us02web.zoom.us/j/83Kq2Wz7Lp",
        "The choir's new song: https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
    ],
)
def test_a_video_or_a_meeting_has_a_random_path_by_nature(scanner: ContentScanner, body: str) -> None:
    assert "link.suspect" not in rules(scanner, body)


def test_a_random_path_at_a_stranger_s_is_told_of_all_the_same(scanner: ContentScanner) -> None:
    assert rules(scanner, "Coach put our talk up: clips.example/pR7yW2kQ9zA")["link.suspect"] == "warn"
