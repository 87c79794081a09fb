"""The account's own content policy, compiled once for each value of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ahocorasick_rs import AhoCorasick

from app.content.packs.pack_loader import ContentRule, Severity
from app.content.reading.covers import widest
from app.content.reading.fold import packaged_fold
from app.content.reading.matching import blank_punctuation
from app.content.reading.views import single_blanks
from app.guardrail.facts import AccountPolicy

COMPILED_POLICIES = 256  # kept; an account's phrases are compiled again when they fall out

_Key = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """Phrases, names, domains and numbers of one policy, folded and ready to match."""

    blocked: AhoCorasick | None
    allowed: AhoCorasick | None
    names: tuple[str, ...]
    domains: tuple[str, ...]
    phones: frozenset[str]  # their digits, and in North America without the 1


def compiled(policy: AccountPolicy) -> CompiledPolicy:
    """The policy's phrases, from a small cache that is keyed by their value, so it can never be stale."""
    content = policy.content
    return _compiled(
        (content.block_phrases, content.allow_phrases, policy.names, policy.domains, policy.phones)
    )


@lru_cache(maxsize=COMPILED_POLICIES)
def _compiled(key: _Key) -> CompiledPolicy:
    block_phrases, allow_phrases, names, domains, phones = key
    return CompiledPolicy(
        blocked=_automaton(map(folded_phrase, block_phrases)),
        # Also as wide as it was written: its own commas are allowed with it, and no others.
        allowed=_automaton((*map(folded_phrase, allow_phrases), *map(_as_written, allow_phrases))),
        names=tuple(folded for folded in map(folded_phrase, names) if folded),
        domains=tuple(domain for domain in map(_bare_domain, domains) if domain),
        phones=frozenset(
            digits
            for phone in phones
            for digits in (phone.lstrip("+"), phone[2:] if phone.startswith("+1") else phone.lstrip("+"))
        ),
    )


def severity_of(
    rule: ContentRule,
    found: Severity,
    allow: frozenset[str],
    severities: Mapping[str, Literal["block", "warn", "off"]],
) -> Severity | None:
    """What a finding weighs under the policy; None where the account has switched it off.

    An unconditional rule keeps its weight whatever the policy says, but can be made heavier, as any can.
    """
    wanted = severities.get(rule.id)
    if wanted == "block":
        return "block"
    if rule.unconditional:
        return found
    if rule.allowable and rule.id in allow:
        found = "warn"
    if wanted == "off":
        return None
    return "warn" if wanted == "warn" else found


def phrase_spans(automaton: AhoCorasick | None, view: str) -> list[tuple[int, int]]:
    """Where the account's own phrases stand, at word borders; those that lie in no longer one, in order."""
    if automaton is None:
        return []
    return widest(
        (start, end)
        for _, start, end in automaton.find_matches_as_indexes(view, overlapping=True)
        if not (view[start - 1 : start].isalnum() and view[start].isalnum())
        and not (view[end : end + 1].isalnum() and view[end - 1].isalnum())
    )


def blocked_spans(automaton: AhoCorasick | None, view: str) -> list[tuple[int, int]]:
    """As ``phrase_spans``, whatever punctuation and however many blanks stand between the words of the text."""
    single = single_blanks(view) if automaton is not None else None
    if single is None:
        return phrase_spans(automaton, view)
    return [
        (single.places[start], single.places[end - 1] + 1)
        for start, end in phrase_spans(automaton, single.text)
    ]


def folded_phrase(text: str) -> str:
    """The phrase as it is matched: folded, without punctuation. Empty when nothing of it could ever match."""
    return " ".join(blank_punctuation(packaged_fold()(text)).split())


def _as_written(text: str) -> str:
    return blank_punctuation(packaged_fold()(text)).strip()


def _automaton(phrases: Iterable[str]) -> AhoCorasick | None:
    sought = sorted({phrase for phrase in phrases if phrase})
    return AhoCorasick(sought) if sought else None


def _bare_domain(domain: str) -> str:
    bare = re.sub(r"^[a-z]+://", "", domain.strip().lower())
    return re.split(r"[/:?#]", bare, maxsplit=1)[0].removeprefix("www.").strip(".")
