"""No text from outside costs more than its length: not a reply, a message, a phrase, a number or a line of a list."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pytest

from app.durations import duration_seconds
from app.guardrail.facts import AccountPolicy, ContentPolicy
from app.instants import read_instant
from app.intents.services import RuleSet
from app.platform.files.spreadsheet import restored
from app.replies.classify import classify_inbound
from app.suppression.lists.list_format import e164_form
from app.suppression.registries.change_file import ChangeParser
from app.suppression.registries.registry_file import RegistryParser
from tests.platform.patterns.pumps import ENDS, only_from_the_start, patterns, pumped, pumps_of
from tests.platform.patterns.slowness import given_up, grows_faster

PATTERNS = patterns()
LONGEST = 1600
LONGEST_REPLY = 10_000  # characters, as the API takes them


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_backtracks_more_than_linearly(name: str) -> None:
    pattern = PATTERNS[name]
    anchored = only_from_the_start(name)
    faults = []
    for prefix, pump in pumps_of(pattern, 12):
        for end in ENDS:
            why = grows_faster(
                lambda text: _read(pattern, text, from_the_start=anchored),
                partial(pumped, prefix, pump, end),
                LONGEST,
            )
            if why is not None:
                faults.append((prefix, pump, end, why))
                break
        if len(faults) >= 5:
            break
    assert not faults


def _read(pattern: re.Pattern[Any], text: str, *, from_the_start: bool) -> None:
    said: Any = text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text
    pattern.match(said)
    pattern.fullmatch(said)
    if not from_the_start:
        for _ in pattern.finditer(said):
            pass


def _texts(*folders: str) -> list[tuple[str, str]]:
    """Pumps of all patterns of these folders, a few of each."""
    return [
        pump
        for name in sorted(PATTERNS)
        if name.startswith(folders)
        for pump in pumps_of(PATTERNS[name], 2)[:6]
    ]


def _faults(
    read: Callable[[str], object],
    pumps: Iterable[tuple[str, str]],
    ends: Sequence[str] = ("", "x"),
    longest: int = LONGEST,
) -> list[tuple[str, str, str, str]]:
    found = []
    for prefix, pump in pumps:
        for end in ends:
            why = grows_faster(
                read,
                partial(pumped, prefix, pump, end),
                longest,
            )
            if why is not None:
                found.append((prefix, pump, end, why))
    return found


def test_a_reply_is_understood_in_linear_time() -> None:
    with given_up(0.5):
        classify_inbound("stop " + "annoying " * 1200 + "x")
    pumps = sorted(set(_texts("app.replies")))
    # Of all a third, and of the longest fewer: each pattern has several, and is looked at by itself above.
    assert not _faults(classify_inbound, pumps[::3], [""])
    assert not _faults(classify_inbound, pumps[::15], longest=LONGEST_REPLY // 2)


DISGUISES = (
    "bit.ly ", "a.co ", "v1agra ", "ca.sino ", "v i a g r a ", "4111111111111111 ", "078-05-1120 ", "http://a.co ",
    "1.2.3.4/a ", "e\u0316\u0301", "\u0441asino ", "\U0001d41a", "a\u200bb ", "555-1234 ", "h1n1 l33t ", "l33t a.co ",
    "ABC DEF ", "a a a viagra ", "viagra casino ",
)  # fmt: skip


def test_a_text_is_scanned_in_linear_time(rule_set: RuleSet) -> None:
    scan = rule_set.scanner.scan
    packs = rule_set.scanner.packs
    texts = [phrase.texts[0] for phrase in packs.phrases]
    words = [("", f"{text} ") for text in texts[:: max(1, len(texts) // 60)]]
    pumps = [*_texts("app.content"), *words, *(("", pump) for pump in DISGUISES)]
    assert not _faults(lambda text: scan(text, AccountPolicy(), True), pumps, [""])


PHRASES = (
    "a",
    "b a",
    "a b",
    *(" ".join(["a"] * count) for count in range(2, 40)),
    "free viagra",
    "viagra casino",
)


DOMAINS = tuple(phrase.replace(" ", ".") + ".com" for phrase in PHRASES)
POLICIES = {
    "blocked": AccountPolicy(content=ContentPolicy(block_phrases=PHRASES)),
    "allowed": AccountPolicy(content=ContentPolicy(allow_phrases=PHRASES)),
    "domains": AccountPolicy(domains=DOMAINS),
    "names": AccountPolicy(names=DOMAINS),
}


@pytest.mark.parametrize("kind", POLICIES)
def test_an_accounts_own_phrases_are_found_in_linear_time(rule_set: RuleSet, kind: str) -> None:
    policy = POLICIES[kind]
    words = ("a ", "a b ", "a casino ", "viagra ", "free viagra casino ", "a.com ", "\u00e1 ")
    pumps = [("", word) for word in words]
    assert not _faults(lambda text: rule_set.scanner.scan(text, policy, True), pumps)


def test_numbers_and_what_stands_beside_them_are_read_in_linear_time(rule_set: RuleSet) -> None:
    def read(text: str) -> None:
        for reader in (
            rule_set.number_locator.numbers.parse.__wrapped__,
            lambda each: rule_set.number_locator.numbers.parse_sender(each, "sms"),
            read_instant,
            lambda each: ChangeParser(keep_rejects=3).parse(each.encode("utf-8", "replace")),
            lambda each: RegistryParser(keep_rejects=3).parse(each.encode("utf-8", "replace") + b"\n"),
            e164_form,
            restored,
            duration_seconds,
        ):
            with contextlib.suppress(ValueError):
                reader(text)

    digits = [("+", "1"), ("+1", "4155551234"), ("", "\u0663"), ("+44", "0"), ("", "+")]
    pumps = [*_texts("app.numbering", "app.lists", "app.instants", "app.durations"), *digits]
    assert not _faults(read, pumps)
