"""Links that are glued to what stands around them, and hosts with signs in them that no host name has.

A telephone makes a link of the part that is one, whatever it touches. Where two readings are possible, the stricter
holds.
"""

from __future__ import annotations

import pytest

from app.content import ContentScanner
from app.guardrail.facts import AccountPolicy, ContentPolicy
from tests.content.probes import blocking

ONLY_ACME = AccountPolicy(domains=("acme.com",), content=ContentPolicy(severities={"link.offbrand": "block"}))


def found(scanner: ContentScanner, body: str) -> dict[str, str]:
    return {finding.rule: finding.severity for finding in scanner.scan(body, ONLY_ACME, False).findings}


@pytest.mark.parametrize(
    "body",
    [
        "Sale ends soonhttps://evil.com/login",
        "Acmehttps://evil.com/login",
        "xhttps://evil.com/login",
        "7https://evil.com/login",
        "soonHTTPS://EVIL.COM/login",
        "sooNhTTps://evil.com/login",
        "soonhttp://evil.com/login",
        "soonftp://evil.com/list",
        "soon:https://evil.com/login",
        "soon_https://evil.com/login",
        "предложениеhttps://evil.com/login",
        "soonwww.evil.com/login",
        "SoonWWW.EVIL.COM",
        "see https://acme.com/<evil.com/login>",
        'see https://acme.com"evil.com/login',
        "see https://acme.com<evil.com>",
    ],
)
def test_a_link_glued_to_a_word_leads_where_it_leads(scanner: ContentScanner, body: str) -> None:
    assert found(scanner, body).get("link.offbrand") == "block"


@pytest.mark.parametrize(
    "body",
    [
        "Acme: soonhttps://bit.ly/3xyz",
        "Acme: soonHTTPS://BIT.LY/3xyz",
        "Acme: soonwww.bit.ly/3xyz",
        "Acme: see>bit.ly/x",
        "Acme: fee=bit.ly/x",
        "Acme: (bit.ly/x)",
        "Acme: fee$bit.ly/x",
        "Acme: fee+bit.ly/x",
        "Acme: fee/bit.ly/x",
        "Acme: fee|bit.ly/x",
        "Acme: fee…bit.ly/x",
        "Acme: fee_bit.ly/x",
        "Acme: https://acme.com/<bit.ly/x>",
    ],
)
def test_a_shortener_is_known_whatever_it_touches(scanner: ContentScanner, body: str) -> None:
    assert "link.shortener" in blocking(scanner, body)


@pytest.mark.parametrize("glue", ["", "now", "NOW", "now:", "1"])
def test_a_fee_for_a_parcel_is_blocked_whatever_its_link_touches(scanner: ContentScanner, glue: str) -> None:
    body = f"USPS: your parcel is held, pay the fee {glue}https://usps-fee.top/a8Xk"
    assert "phish.parcel" in blocking(scanner, body)


@pytest.mark.parametrize(
    "body",
    [
        "see https://acme.comhttps://evil.com",
        "see https://acme.com/https://evil.com",
        "see https://acme.com/menuhttp://evil.com/login",
        "see https://https://evil.com",
        "see https://acme.com,https://evil.com/x",
    ],
)
def test_of_two_links_glued_the_second_counts_and_hides(scanner: ContentScanner, body: str) -> None:
    rules = found(scanner, body)
    assert (rules.get("link.offbrand"), rules.get("link.disguised")) == ("block", "block")


NO_HOST_HAS = "&!,;'*(=+$~|)^{}]`:@\\’—…⁄∕＆★"


@pytest.mark.parametrize("sign", [*NO_HOST_HAS, "-", "_", ".", "%", "%2f", "%26", "%5C", ":80", "\u200b"])
def test_a_host_ends_where_no_host_name_goes_on(scanner: ContentScanner, sign: str) -> None:
    for body in (f"see https://evil.com{sign}.acme.com", f"soonhttps://evil.com{sign}.acme.com/menu"):
        assert found(scanner, body).get("link.offbrand") == "block", body
    assert "link.shortener" in blocking(scanner, f"see https://bit.ly{sign}.acme.com/3xyz")


@pytest.mark.parametrize("sign", NO_HOST_HAS)
def test_what_follows_such_a_sign_is_a_reading_too(scanner: ContentScanner, sign: str) -> None:
    for body in (f"see https://acme.com{sign}evil.com", f"see https://acme.com{sign}.evil.com/login"):
        assert found(scanner, body).get("link.offbrand") == "block", body


@pytest.mark.parametrize("sign", NO_HOST_HAS)
def test_a_name_put_on_after_such_a_sign_is_a_disguise_for_everybody(
    scanner: ContentScanner, sign: str
) -> None:
    assert "link.disguised" in blocking(scanner, f"see https://evil.com{sign}.acme.com/menu")


@pytest.mark.parametrize(
    "body",
    [
        "see https://acme.com@evil.com",
        "see https://evil.com@acme.com",
        "see https://evil.com:443@acme.com/x",
        "see https://acme.com\\@evil.com",
        "see https://evil.com\\@acme.com",
        "see https://evil%2ecom/login",
        "see https://acme.com%2eevil.com",
        "see https://evil．com/x",
        "see https://evil。com／.acme.com",
        "see https://acme.com❤.ws/x",
    ],
)
def test_a_host_behind_a_name_an_escape_or_a_wide_dot_is_the_host(scanner: ContentScanner, body: str) -> None:
    assert found(scanner, body).get("link.offbrand") == "block"


def test_the_name_s_own_domain_before_such_a_sign_excuses_no_impostor(scanner: ContentScanner) -> None:
    for sign in ("&", "@", "https://"):
        body = f"USPS: see https://usps.com{sign}evil.com/login"
        assert "phish.account" in {f.rule for f in scanner.scan(body, AccountPolicy(), False).findings}, body


@pytest.mark.parametrize(
    "body",
    [
        "Menuhttps://acme.com/menu",
        "see:https://acme.com",
        "see https://www.acme.com:443/x",
        "see https://acme.com, or call us",
        "see https://acme.com's menu",
        "see https://acme.com&x=1",
        "see https://acme.com!!!",
        "see https://acme.com… and more",
        "see https://acme.com—order today",
        "see https://acme.com👉",
        "see https://acme.com❤️",
        "see https://acme.com)",
        "see (https://acme.com/menu).",
        "see https://acme.com\\nReply STOP to end",
        "see https://acme.com?back=https://evil.com/x",
        "see https://acme.com/a?next=https://acme.com/b",
        "see https://acme.com/a,evil.com",
        "see https://acme.com/a@b.co",
        "see https://acme.com,shop.acme.com",
        "see https://acme.com*2",
        "see <https://acme.com/menu>",
        '<a href="https://acme.com/menu">acme.com</a>',
        "write to info+menu@evil.com",
        "it is $5/mo.and up",
        "bring it and/or call 24/7.Thanks",
    ],
)
def test_what_touches_an_own_link_or_is_none_is_not_told_of(scanner: ContentScanner, body: str) -> None:
    assert {rule for rule in found(scanner, body) if rule.startswith("link.")} == set()


def test_glued_links_cost_no_more_than_their_length(scanner: ContentScanner) -> None:
    import time

    def cost(body: str) -> int:
        least = 10**12
        for _ in range(5):
            start = time.thread_time_ns()
            scanner.scan(body, ONLY_ACME, False)
            least = min(least, time.thread_time_ns() - start)
        return least

    for piece in (
        "https://",
        "https://a",
        "a.co&",
        "a-",
        "a_",
        "&.",
        "a.co@",
        "%2e",
        "a\u0301",
        "$a.co/",
        "a<",
    ):
        short, long = (cost("https://x" + (piece * 1600)[:length]) for length in (400, 1600))
        assert long < 12 * short, piece  # four times the length; twice over for the noise of a loaded machine
