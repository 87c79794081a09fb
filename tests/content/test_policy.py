"""What an account's policy can change, and what it cannot; the guardrail's answer; masking."""

from __future__ import annotations

import pytest

from app.content import ContentScanner, evaluate, folded_hash, mask, render
from app.guardrail.facts import AccountPolicy, ContentPolicy, Intent
from app.guardrail.refusals import CONTENT_BLOCKED
from app.platform.http.verdict_json import members_of


def rules(
    scanner: ContentScanner, body: str, policy: AccountPolicy | None = None, first: bool = False
) -> dict[str, str]:
    return {f.rule: f.severity for f in scanner.scan(body, policy or AccountPolicy(), first).findings}


def content(**changes: object) -> AccountPolicy:
    return AccountPolicy(content=ContentPolicy(**changes))  # type: ignore[arg-type]


def test_an_age_gated_account_may_promote_alcohol(scanner: ContentScanner) -> None:
    body = "Happy hour: $3 margaritas"
    assert rules(scanner, body) == {"shaft.alcohol": "block"}
    assert rules(scanner, body, content(allow=frozenset({"shaft.alcohol"}))) == {"shaft.alcohol": "warn"}


def test_an_age_gate_does_not_help_with_guns(scanner: ContentScanner) -> None:
    policy = content(
        allow=frozenset({"shaft.firearms"}), severities={"shaft.firearms": "off"}, allow_phrases=("glock 19",)
    )
    assert rules(scanner, "Glock 19 in stock", policy) == {"shaft.firearms": "block"}
    assert scanner.allowable_rules == {"shaft.alcohol"}


def test_severities_can_be_lowered_and_raised(scanner: ContentScanner) -> None:
    body = "Act now, casino night"
    assert rules(scanner, body) == {"deceptive.urgency": "warn", "gambling": "block"}
    changed = content(severities={"gambling": "warn", "deceptive.urgency": "block"})
    assert rules(scanner, body, changed) == {"deceptive.urgency": "block", "gambling": "warn"}
    assert rules(scanner, body, content(severities={"gambling": "off", "deceptive.urgency": "off"})) == {}


def test_own_block_and_allow_phrases(scanner: ContentScanner) -> None:
    assert rules(scanner, "Ask about Project X", content(block_phrases=("project x",))) == {
        "account.phrase": "block"
    }
    assert rules(scanner, "Projects exist", content(block_phrases=("project",))) == {}
    assert (
        rules(scanner, "pr\u043eject x", content(block_phrases=("Project X",)))["account.phrase"] == "block"
    )
    assert rules(scanner, "Casino Pier is open") == {"gambling": "block"}
    assert rules(scanner, "Casino Pier is open", content(allow_phrases=("casino pier",))) == {}


OWN_PHRASES = ("Buy now, pay later", "act fast - today", "C.O.D. - ask us", "“quoted, words”", "two  blanks")
BETWEEN = (" ", "  ", "   ", "\t", "\n", " \n", "\n\n", ", ", ". ", " - ", "\u00a0 ")


@pytest.mark.parametrize("phrase", OWN_PHRASES)
def test_a_block_phrase_is_found_in_the_very_text_that_it_is(scanner: ContentScanner, phrase: str) -> None:
    policy = content(block_phrases=(phrase,))
    body = f"Hello! {phrase}. Bye"
    found = [each for each in scanner.scan(body, policy, False).findings if each.rule == "account.phrase"]
    assert [body[each.start : each.end].strip("“”.") for each in found] == [phrase.strip("“”.")]


@pytest.mark.parametrize("between", BETWEEN, ids=repr)
def test_a_block_phrase_is_found_whatever_stands_between_its_words(
    scanner: ContentScanner, between: str
) -> None:
    body = f"Try our Secret{between}Sauce today"
    found = scanner.scan(body, content(block_phrases=("secret sauce",)), False).findings
    assert [(each.rule, body[each.start : each.end]) for each in found] == [
        ("account.phrase", f"Secret{between}Sauce")
    ]


def test_an_allow_phrase_with_a_comma_allows_its_own_text_and_nothing_that_stands_apart(
    scanner: ContentScanner,
) -> None:
    with_comma = content(allow_phrases=("Casino, Pier",))
    assert rules(scanner, "The Casino, Pier is open", with_comma) == {}
    assert rules(scanner, "The Casino Pier is open", with_comma) == {}
    assert rules(scanner, "The casino. Pier is open", content(allow_phrases=("casino pier",))) == {
        "gambling": "block"
    }


def test_a_changed_policy_is_in_force_at_once(scanner: ContentScanner) -> None:
    for phrase in ("one moon", "two moons", "one moon"):
        policy = AccountPolicy(version=1, content=ContentPolicy(block_phrases=(phrase,)))
        assert rules(scanner, "one moon", policy) == (
            {"account.phrase": "block"} if phrase == "one moon" else {}
        )


def test_own_links_are_no_company_and_others_are_offbrand(scanner: ContentScanner) -> None:
    policy = AccountPolicy(domains=("https://acme.com/", "acme.example"))
    alarm = "Your account is locked, see "
    assert rules(scanner, alarm + "https://help.acme.com/x", policy) == {"phish.account": "warn"}
    assert rules(scanner, alarm + "https://acme.com.evil.net", policy)["phish.account"] == "block"
    assert rules(scanner, "News at https://notacme.com", policy) == {"link.offbrand": "warn"}
    assert rules(scanner, "News at https://shop.acme.example/x", policy) == {}


def test_phone_numbers_only_matter_to_accounts_without(scanner: ContentScanner) -> None:
    body = "Call us at (206) 555-0143"
    assert rules(scanner, body) == {}
    assert rules(scanner, body, content(phone_numbers=False)) == {"phone.embedded": "warn"}
    assert rules(scanner, "Order 20655501431234 shipped", content(phone_numbers=False)) == {}


def test_first_contact_asks_for_a_name_and_a_way_out(scanner: ContentScanner) -> None:
    named = AccountPolicy(names=("Acme Dental",))
    assert rules(scanner, "Hello there", named, True) == {
        "identity.missing": "block",
        "optout.missing": "block",
    }
    assert rules(scanner, "Hello there", named, False) == {}
    for body in (
        "ACME DENTAL: see you soon. Reply STOP to opt out",
        "Acme  Dental's news. Text END to cancel.",
        "Acme Dental: hasta pronto. Responda ALTO para cancelar",
        "Acme Dental : à bientôt. Répondez ARRET pour vous désabonner",
        "Acme Dental: para darse de baja envíe STOP",
    ):
        assert rules(scanner, body, named, True) == {}, body
    assert rules(scanner, "Other Dental: hi. Reply STOP to end", named, True) == {"identity.missing": "block"}
    assert rules(scanner, "Acme Dental: do not stop now", named, True) == {"optout.missing": "block"}


def test_an_account_without_names_is_judged_by_how_the_text_opens(scanner: ContentScanner) -> None:
    end = " Reply STOP to end"
    for body in ("Acme: hello.", "[Acme] hello.", "Hi, this is Ann from Acme."):
        assert rules(scanner, body + end, None, True) == {}, body
    for body in ("Hello, big sale.", "Reminder: pay today."):
        assert rules(scanner, body + end, None, True) == {"identity.missing": "block"}, body


def test_masking() -> None:
    assert mask("card 4111 1111 1111 1111, ssn 219-09-9999") == "card **** **** **** 1111, ssn ***-**-****"
    assert mask("Amex 378282246310005") == "Amex ***********0005"
    for honest in (
        "XXXX-XXXX-XXXX-1111", "xxxx4111111111111111", "UPS 1Z999AA10123456784", "4111 1111 1111 1112",
        "123456789", "USPS 9400 1000 0000 0000 0000 00", "000-12-3456", "666-12-3456", "901-12-3456",
        "206-555-0143",
    ):  # fmt: skip
        assert mask(honest) == honest
    assert mask("ca\u200brd ４１１１ １１１１ １１１１ １１１１").count("*") == 12


def test_no_answer_shows_a_card(scanner: ContentScanner) -> None:
    body = "CALL ABOUT CARD 4111 1111 1111 1111 AT ONCE, THIS IS YOUR FINAL NOTICE — PAY NOW"
    result = scanner.scan(body, AccountPolicy(), True)
    finding = evaluate(
        Intent("sms", "+14155551234", "12345", body=body, first_contact=True), AccountPolicy(), scanner
    )
    assert "4111 1111" not in repr(result) + repr(finding) + render(body, result.findings)


def test_the_verdict(scanner: ContentScanner) -> None:
    intent = Intent("sms", "+14155551234", "12345", body="Act now! https://bit.ly/x")
    finding = evaluate(intent, AccountPolicy(), scanner)
    assert (finding.check.guardrail, finding.check.outcome) == ("content", "block")
    assert members_of(finding.check)["segments"] == {"encoding": "GSM-7", "units": 25, "count": 1}
    (violation,) = finding.violations
    assert violation.refusal is CONTENT_BLOCKED
    assert violation.detail == "Message content was flagged by the compliance scanner for prohibited content."
    found = members_of(violation)["findings"]
    assert isinstance(found, list)
    assert [
        (f["rule"], f["severity"], f["start"], f["end"], f["excerpt"]) for f in found if isinstance(f, dict)
    ] == [
        ("deceptive.urgency", "warn", 0, 7, "Act now"),
        ("link.shortener", "block", 9, 25, "https://bit.ly/x"),
    ]
    call = evaluate(Intent("call", "+14155551234", "+12125550100"), AccountPolicy(), scanner)
    assert (call.check.outcome, call.violations) == ("skip", ())


def test_rendering_underlines_the_span(scanner: ContentScanner) -> None:
    body = "Hi 日本\na casino is open"
    lines = render(body, scanner.scan(body, AccountPolicy(), False).findings).splitlines()
    assert lines[0] == "block: gambling at 8-14"
    assert lines[1:3] == ["  a casino is open", "    ^^^^^^"]


def test_the_hash_is_of_what_is_read() -> None:
    assert folded_hash("Big SALE, today!") == folded_hash("b\u0456g  sale today")
    assert folded_hash("code 1") != folded_hash("code 2")
