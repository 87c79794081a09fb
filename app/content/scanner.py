"""The scan: one fold, one automaton, other readings where a trigger fires, then the account's policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from app.content.account_phrases import CompiledPolicy, blocked_spans, compiled, phrase_spans, severity_of
from app.content.beside import Beside, WayBack
from app.content.findings import ContentFinding, ScanResult, Span
from app.content.packs.pack_loader import (
    PACKS_DIRECTORY,
    ContentPacks,
    ContentRule,
    Severity,
    load_content_packs,
)
from app.content.reading.covers import lies_in, widest
from app.content.reading.evasion import CharacterKinds, find_caps, find_evasion, find_spaced
from app.content.reading.fold import Fold, packaged_fold
from app.content.reading.leet import find_leet
from app.content.reading.matching import PhraseIndex, blank_punctuation
from app.content.reading.repair import Repairer
from app.content.reading.views import View, joined_letters, leet_words, single_blanks, unsplit_words
from app.content.segments import count_segments
from app.content.signs.brands import Brands
from app.content.signs.link import Link
from app.content.signs.link_signs import LISTS as LISTS_OF_LINKS
from app.content.signs.link_signs import LinkSigns, find_mail_header
from app.content.signs.links import find_links, is_own
from app.content.signs.sender import names_sender
from app.content.signs.sensitive import find_sensitive, mask
from app.guardrail.facts import AccountPolicy
from app.platform.files.broken_file import BrokenRuleFile

MAX_FINDINGS = 50
MAX_EXCERPT = 80  # code points
# Rules that the code itself finds; a pack must give each its severity and its words.
STRUCTURAL_RULES = (
    "link.shortener", "link.ip", "link.idn", "link.disguised", "link.insecure", "link.offbrand",
    "link.imitation", "link.suspect", "link.chat", "link.freehost", "link.form", "link.pay",
    "link.redirect", "format.mail-header", "evasion.misspelled",
    "evasion.invisible", "evasion.styled", "evasion.zalgo", "evasion.mixed-script", "evasion.spaced",
    "phone.embedded", "evasion.leet", "format.caps", "identity.missing", "optout.missing",
    "sensitive.card", "sensitive.ssn", "account.phrase",
    "volume.snowshoe",
)  # fmt: skip


class ContentScanner:
    """Everything compiled at the start; a scan takes a text and facts, and touches nothing else."""

    def __init__(self, packs: ContentPacks, directory: Path = PACKS_DIRECTORY) -> None:
        for rule in STRUCTURAL_RULES:
            if rule not in packs.rules:
                raise BrokenRuleFile(directory, None, f"no pack declares the rule {rule}")
        for name, lists in (
            ("shorteners", packs.lists),
            ("brands", packs.lists),
            *((name, packs.lists) for name in LISTS_OF_LINKS),
            ("optout", packs.words),
            ("data", packs.words),
        ):
            if name not in lists:
                raise BrokenRuleFile(directory, None, f"no pack declares the list {name}")
        self.packs = packs
        self.fold = Fold(packs.confusables)
        self._index = PhraseIndex(packs, self.fold)
        self._kinds = CharacterKinds(self.fold)
        try:
            self._brands = Brands(packs.lists["brands"])
        except ValueError as error:
            raise BrokenRuleFile(directory, None, str(error)) from None
        self._shorteners = frozenset(domain.lower() for domain in packs.lists["shorteners"])
        self._repairer = Repairer(self._index.sought())
        self._link_signs = LinkSigns(packs.lists, self._brands.domains, self._repairer.rare_pairs)
        self._opt_out = tuple(f" {blank_punctuation(self.fold(text))} " for text in packs.words["optout"])

    @classmethod
    def load(cls, directory: Path = PACKS_DIRECTORY) -> ContentScanner:
        """Read, check and compile the packs. Raises ``BrokenRuleFile``."""
        packaged_fold()  # masks, hashes, opt-outs and policies fold with it; read it now, not on a request
        return cls(load_content_packs(directory), directory)

    @property
    def version(self) -> str:
        """The version of the packs, to be stored with every decision."""
        return self.packs.version

    @property
    def allowable_rules(self) -> frozenset[str]:
        """The categories that an account may allow."""
        return frozenset(rule.id for rule in self.packs.rules.values() if rule.allowable)

    def scan(self, body: str, policy: AccountPolicy, first_contact: bool) -> ScanResult:
        """All findings of a text, in order of place, and how it is cut into segments. Never raises."""
        own = compiled(policy)
        folded = self.fold(body)
        view = blank_punctuation(folded)
        links = find_links(body, self._shorteners, self.fold)
        others = [
            replace(link, anybodys=True) if self._link_signs.is_anybodys(body, link) else link
            for link in links
            if not is_own(link, own.domains)
        ]
        strangers = [link for link in others if not self._brands.owns(folded, link)]
        company = Beside(folded, own.phones, strangers, leads_home=len(others) > len(strangers) == 0)
        index = WayBack(self.fold, body, folded)

        spans = self._phrases(body, folded, view, links, company)
        allowed = phrase_spans(own.allowed, view)
        spans = [index.original(span) for span in spans if not self._is_allowed(span, allowed)]
        if spans and len(others) < len(links):
            elsewhere = {link.start for link in others}  # another reading of the same place leads there
            mine = widest((link.start, link.end) for link in links if link.start not in elsewhere)
            spans = [span for span in spans if not lies_in(span.start, span.end, mine)]
        if others:
            suspect = [link for link in others if self._link_signs.is_suspect(body, view, link)]
            impostor = self._brands.find(folded, others, own.names, suspect)
            if impostor is not None:
                spans.append(index.original(impostor))
            spans.extend(self._link_signs.find(body, view, others))
        spans.extend(find_mail_header(body))
        spans.extend(self._repaired(body, folded, links, company))
        for start, end in blocked_spans(own.blocked, view):
            spans.append(index.original(Span("account.phrase", start, end)))
        spans.extend(find_evasion(body, folded, self._kinds))
        spans.extend(find_caps(body))
        spans.extend(_link_spans(links, own))
        if not policy.content.phone_numbers:
            spans.extend(index.original(Span("phone.embedded", *span)) for span in company.phones)
        sensitive = find_sensitive(body)
        spans.extend(Span(f"sensitive.{found.kind}", found.start, found.end) for found in sensitive)
        if first_contact:
            spans.extend(self._first_contact(body, view, own))
        findings = self._judged(body, spans, policy) if spans else ()
        return ScanResult(findings, count_segments(body))

    def _is_allowed(self, span: Span, allowed: list[tuple[int, int]]) -> bool:
        """Inside one of the account's own allowed phrases, by a rule that an account may lower."""
        if not allowed or self.packs.rules[span.rule].unconditional:
            return False
        return lies_in(span.start, span.end, allowed)

    def _phrases(self, body: str, folded: str, view: str, links: list[Link], company: Beside) -> list[Span]:
        """Phrases in the text and in its other readings; spans of the folded text."""
        index = self._index
        spans = index.resolve(view, index.hits(view), company.has)
        doubled = index.collapsed_hits(view)
        if doubled:
            spans.extend(index.resolve(view, doubled, company.has))
        blanks = single_blanks(folded)
        if blanks is not None:
            spans.extend(self._in_view(blanks, company, None))
        spans.extend(self._set_apart(body, folded, company))
        places = widest((link.start, link.end) for link in links) if len(body) == len(folded) else []
        for unsplit in unsplit_words(folded, places):
            spans.extend(self._in_view(unsplit, company, unsplit.differs_within))
        leet_found = False
        for leet in leet_words(folded):
            found = self._in_view(leet, company, leet.differs_within)
            spans.extend(found)
            if found:
                leet_found = True
                spans.extend(Span("evasion.leet", span.start, span.end) for span in found)
        if not leet_found:
            spans.extend(find_leet(folded, places))
        return spans

    def _repaired(self, body: str, folded: str, links: list[Link], company: Beside) -> list[Span]:
        """Phrases in the text as its reader repairs it; spans of the original text, each with what was read."""
        spans: list[Span] = []
        places = widest((link.start, link.end) for link in links)
        for read in (
            self._repairer.repaired(body, folded, places, self.fold),
            self._repairer.upside_down(body),
        ):
            if read is None:
                continue
            text = blank_punctuation(read.text)
            beside = company
            if not links:
                beside = Beside(
                    read.text, company.own_phones, find_links(read.text, self._shorteners, self.fold)
                )
            for span in self._index.resolve(text, self._index.hits(text), beside.has, read.differs_within):
                start, end = read.original(span.start, span.end)
                spans.append(Span(span.rule, start, end, span.severity))
                spans.append(Span("evasion.misspelled", start, end, read=read.text[span.start : span.end]))
        return spans

    def _set_apart(self, body: str, folded: str, company: Beside) -> list[Span]:
        """Letters that stand apart: the finding itself, and the phrases that they spell."""
        joined = joined_letters(folded)
        if joined is None:
            return []
        spans = find_spaced(folded, body if len(body) == len(folded) else "")
        found = self._in_view(joined, company, joined.differs_within)
        found.extend(
            Span(span.rule, joined.places[span.start], joined.places[span.end - 1] + 1, span.severity)
            for span in self._index.compact_spans(joined.text)
            if joined.differs_within(span.start, span.end)
        )
        spans.extend(found)
        spans.extend(Span("evasion.spaced", span.start, span.end) for span in found)
        return spans

    def _in_view(self, view: View, company: Beside, accept: Callable[[int, int], bool] | None) -> list[Span]:
        text = blank_punctuation(view.text)
        return [
            Span(span.rule, view.places[span.start], view.places[span.end - 1] + 1, span.severity)
            for span in self._index.resolve(text, self._index.hits(text), company.has, accept)
        ]

    def _first_contact(self, body: str, view: str, own: CompiledPolicy) -> list[Span]:
        spans = []
        if not names_sender(body, view, own.names):
            spans.append(Span("identity.missing", 0, len(body)))
        padded = f" {' '.join(view.split())} "
        if not any(wording in padded for wording in self._opt_out):
            spans.append(Span("optout.missing", 0, len(body)))
        return spans

    def _judged(self, body: str, spans: list[Span], policy: AccountPolicy) -> tuple[ContentFinding, ...]:
        masked = mask(body)
        findings = []
        for span in _outermost(spans, self.packs.rules):
            rule = self.packs.rules[span.rule]
            severity = severity_of(
                rule, span.severity or rule.severity, policy.content.allow, policy.content.severities
            )
            if severity is None:
                continue
            excerpt = masked[span.start : min(span.end, span.start + MAX_EXCERPT)]
            why = f"{rule.why} It was read as “{mask(span.read[:MAX_EXCERPT])}”." if span.read else rule.why
            findings.append(
                ContentFinding(rule.id, severity, span.start, span.end, excerpt, why, rule.remedy)
            )
        if len(findings) > MAX_FINDINGS:
            findings.sort(key=lambda finding: finding.severity)  # "block" before "warn"
            findings = findings[:MAX_FINDINGS]
        findings.sort(key=lambda finding: (finding.start, finding.end, finding.rule))
        return tuple(findings)


@lru_cache(maxsize=1)
def packaged_scanner() -> ContentScanner:
    """The scanner of the packs that come with Callgate, compiled once per process. Raises ``BrokenRuleFile``."""
    return ContentScanner.load()


class CallsOnly(ContentScanner):
    """A scanner without packs, for whoever asks about calls only: those have no text to scan."""

    def __init__(self) -> None:
        """Nothing is read."""

    @property
    def version(self) -> str:
        """No packs, no version."""
        return ""

    def scan(self, body: str, policy: AccountPolicy, first_contact: bool) -> ScanResult:
        """Never, since that would pass every text."""
        raise AssertionError("the packs were not read")


def _link_spans(links: Iterable[Link], own: CompiledPolicy) -> list[Span]:
    spans = [Span(problem, link.start, link.end) for link in links for problem in link.problems]
    if own.domains:
        spans.extend(
            Span("link.offbrand", link.start, link.end) for link in links if not is_own(link, own.domains)
        )
    return spans


def _outermost(spans: list[Span], rules: Mapping[str, ContentRule]) -> list[Span]:
    """One span where several of a rule overlap: the widest, with the heaviest severity of them."""
    merged: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        kept = merged.setdefault(span.rule, [])
        if kept and span.start < kept[-1].end:
            last = kept[-1]
            severity: Severity | None = last.severity
            if _weight(span, rules) > _weight(last, rules):
                severity = span.severity
            kept[-1] = Span(span.rule, last.start, max(last.end, span.end), severity, last.read)
        else:
            kept.append(span)
    return [span for kept in merged.values() for span in kept]


def _weight(span: Span, rules: Mapping[str, ContentRule]) -> int:
    return (span.severity or rules[span.rule].severity) == "block"
