"""One automaton for all phrases, their company and their excuses.

A phrase counts where its borders hold, a word that it needs stands nearby, the company it wants is in the text, and
nothing nearby excuses it. An apostrophe inside a word is a letter: "you won't" does not contain "you won".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from ahocorasick_rs import AhoCorasick, Implementation

from app.content.findings import Span
from app.content.packs.pack_loader import Company, ContentPacks, Phrase
from app.content.reading.doubled import doubled_places, doubles_at_least, undoubled

NEEDS_DISTANCE = 80  # characters between a phrase and a word that it needs
THEN_DISTANCE = 24  # characters between a phrase and what must follow it
EXCUSE_DISTANCE = 60  # characters between a phrase and what excuses it
_COLLAPSED_LENGTH = 4  # letters; shorter phrases are too close to honest words once doublings are undone
_COMPACT_LENGTH = 5
_POSSESSIVE_LENGTH = 5

# Punctuation that may stand where a phrase has its blank: "free-spins", "free_spins", "win.big".
_PUNCTUATION_TO_BLANK = str.maketrans('-._/|~,:;!?()[]"', "                ")


_END = itemgetter(1)
_NUMBER = itemgetter(0)

Hit = tuple[int, int, int]  # pattern, start, end
Asked = Callable[[Company | Literal["home"]], bool]


def blank_punctuation(folded: str) -> str:
    """The folded text as phrases are matched in it; the same length."""
    return folded.translate(_PUNCTUATION_TO_BLANK)


@dataclass(frozen=True, slots=True)
class _Condition:
    """A phrase entry with its word lists replaced by the numbers of the automaton's contexts."""

    phrase: Phrase
    then: int  # -1: none
    needs: int
    excuse: int


class PhraseIndex:
    """The compiled packs. Immutable after construction and safe to share between threads."""

    def __init__(self, packs: ContentPacks, fold: Callable[[str], str]) -> None:
        self._fold = fold
        self._context_ids: dict[tuple[str, ...], int] = {}
        roles: dict[str, tuple[set[int], set[int]]] = {}
        self._conditions: list[_Condition] = []
        for phrase in packs.phrases:
            self._conditions.append(
                _Condition(
                    phrase,
                    self._context(phrase.then),
                    self._context(phrase.needs),
                    self._context(phrase.excuse),
                )
            )
            for text in phrase.texts:
                roles.setdefault(self._pattern(text), (set(), set()))[0].add(len(self._conditions) - 1)
        self.data_context = self._context(packs.words.get("data", ()))
        for words, context in self._context_ids.items():
            for word in words:
                roles.setdefault(self._pattern(word), (set(), set()))[1].add(context)
        self._patterns = list(roles)
        self._conditions_of = [tuple(sorted(role[0])) for role in roles.values()]
        self._contexts_of = [tuple(sorted(role[1])) for role in roles.values()]
        self._automaton = _automaton(self._patterns)
        self._build_collapsed()
        self._build_compact()

    def _pattern(self, text: str) -> str:
        return " ".join(blank_punctuation(self._fold(text)).split())

    def _context(self, words: tuple[str, ...]) -> int:
        if not words:
            return -1
        return self._context_ids.setdefault(words, len(self._context_ids))

    def _build_collapsed(self) -> None:
        """Patterns with doubled letters undone, for texts that double theirs."""
        self._collapsed_of: list[tuple[int, ...]] = []
        collapsed: dict[str, list[int]] = {}
        for number, pattern in enumerate(self._patterns):
            if len(pattern.replace(" ", "")) >= _COLLAPSED_LENGTH or not self._conditions_of[number]:
                collapsed.setdefault(undoubled(pattern), []).append(number)
        self._collapsed_of = [tuple(numbers) for numbers in collapsed.values()]
        self._collapsed_phrases = [
            any(self._conditions_of[number] for number in numbers) for numbers in self._collapsed_of
        ]
        self._collapsed = _automaton(list(collapsed))

    def _build_compact(self) -> None:
        """Patterns without blanks, for texts whose blanks no longer mean anything."""
        compact: dict[str, int] = {}
        for number, pattern in enumerate(self._patterns):
            letters = pattern.replace(" ", "")
            if len(letters) < _COMPACT_LENGTH:
                continue
            for condition in self._conditions_of[number]:
                phrase = self._conditions[condition].phrase
                if not phrase.needs and not phrase.near and not phrase.then:
                    compact.setdefault(letters, condition)
        self._compact_of = list(compact.values())
        self._compact = _automaton(list(compact))

    def sought(self) -> set[str]:
        """The words that phrases, and what they need beside them, are made of; not those that excuse."""
        words: set[str] = set()
        for condition in self._conditions:
            phrase = condition.phrase
            for text in (*phrase.texts, *phrase.then, *phrase.needs):
                words.update(self._pattern(text).split())
        return words

    def hits(self, view: str) -> list[Hit]:
        """Every pattern in the text, borders not yet looked at."""
        return self._automaton.find_matches_as_indexes(view, overlapping=True)

    def collapsed_hits(self, view: str) -> list[Hit]:
        """Hits in a text whose doubled letters are undone beyond what the pattern itself doubles."""
        doubled = doubled_places(view)
        if not doubled:
            return []
        starts = [0, *(place + 1 for place in doubled)]
        short = "".join([view[a:b] for a, b in zip(starts, [*doubled, len(view)], strict=True)])
        found = self._collapsed.find_matches_as_indexes(short, overlapping=True)
        hits: list[Hit] = []
        if not any(map(self._collapsed_phrases.__getitem__, map(_NUMBER, found))):
            return hits  # company and excuses alone say nothing
        after = [place - earlier for earlier, place in enumerate(doubled)]
        for number, start, end in found:
            original_start = start + bisect_right(after, start)
            original_end = end + bisect_right(after, end)
            text = view[original_start:original_end]
            for pattern in self._collapsed_of[number]:
                if doubles_at_least(text, self._patterns[pattern]):
                    hits.append((pattern, original_start, original_end))
        return hits

    def compact_spans(self, letters: str) -> list[Span]:
        """Phrases in a run of letters without blanks; spans in the run."""
        return [
            Span(phrase.rule, start, end, phrase.severity)
            for number, start, end in self._compact.find_matches_as_indexes(letters, overlapping=True)
            for phrase in (self._conditions[self._compact_of[number]].phrase,)
        ]

    def resolve(
        self, view: str, hits: Iterable[Hit], company: Asked, accept: Callable[[int, int], bool] | None = None
    ) -> list[Span]:
        """The hits that count, as spans of the view.

        ``company`` answers whether a link or a phone number stands in the text; it is asked only when a
        phrase cares. ``accept`` is asked about the span of a phrase, in views that undo a disguise.
        """
        hits = list(hits)
        conditions_of, conditions = self._conditions_of, self._conditions
        candidates: list[tuple[int, int, int]] = []
        for number, start, end in hits:
            if not conditions_of[number]:
                continue
            left, right = _left_border(view, start), _right_border(view, start, end)
            for entry in conditions_of[number]:
                borders = conditions[entry].phrase.borders
                if (left or borders in ("right", "none")) and (right or borders in ("left", "none")):
                    candidates.append((entry, start, end))
        if not candidates:
            return []
        contexts = self._contexts(view, hits, {entry for entry, _, _ in candidates})
        spans = []
        for entry, start, end in candidates:
            condition = self._conditions[entry]
            phrase = condition.phrase
            if condition.then >= 0:
                end = _followed_until(contexts.get(condition.then), end)
                if end < 0:
                    continue
            if accept is not None and not accept(start, end):
                continue
            if condition.needs >= 0 and not _nearby(
                contexts.get(condition.needs), start, end, NEEDS_DISTANCE
            ):
                continue
            if condition.excuse >= 0 and _nearby(contexts.get(condition.excuse), start, end, EXCUSE_DISTANCE):
                continue
            severity = phrase.severity
            if phrase.near and not self._accompanied(phrase, start, end, contexts, company):
                if phrase.alone == "none" or company("home"):
                    continue
                severity = "warn"
            spans.append(Span(phrase.rule, start, end, severity))
        return spans

    def _contexts(
        self, view: str, hits: list[Hit], entries: Iterable[int]
    ) -> dict[int, list[tuple[int, int]]]:
        """Where the words stand that these entries ask about; of no others is the place of interest."""
        asked = {self.data_context}
        for entry in entries:
            condition = self._conditions[entry]
            asked.update((condition.then, condition.needs, condition.excuse))
        contexts: dict[int, list[tuple[int, int]]] = {}
        for number, start, end in hits:
            wanted = [context for context in self._contexts_of[number] if context in asked]
            if wanted and _left_border(view, start) and _right_border(view, start, end):
                for context in wanted:
                    contexts.setdefault(context, []).append((start, end))
        return contexts

    def _accompanied(
        self, phrase: Phrase, start: int, end: int, contexts: dict[int, list[tuple[int, int]]], company: Asked
    ) -> bool:
        if "data" in phrase.near:
            # The phrase itself is no company: "verify your account" needs a second request beside it.
            requests = contexts.get(self.data_context, ())
            if any(other_end <= start or end <= other_start for other_start, other_end in requests):
                return True
        return ("link" in phrase.near and company("link")) or ("phone" in phrase.near and company("phone"))


def _left_border(view: str, start: int) -> bool:
    if start == 0 or not view[start].isalnum():
        return True
    before = view[start - 1]
    if before.isalnum():
        return False
    return not (before == "'" and start > 1 and view[start - 2].isalnum())


def _right_border(view: str, start: int, end: int) -> bool:
    if end >= len(view) or not view[end - 1].isalnum():
        return True
    after = view[end]
    if after.isalnum():
        return False
    if after != "'" or not view[end + 1 : end + 2].isalnum():
        return True
    possessive = view[end + 1] == "s" and not view[end + 2 : end + 3].isalnum()
    return possessive and end - start >= _POSSESSIVE_LENGTH


def _from(found: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """Those that end at or after ``end``. The automaton reports them in order of their ends; in a long list
    the first is sought by halves, so that a text full of hits costs no more than its length."""
    if len(found) < 16:
        return found
    first = bisect_left(found, end, key=_END)
    return found[first : first + 64]


def _nearby(found: list[tuple[int, int]] | None, start: int, end: int, distance: int) -> bool:
    if not found:
        return False
    return any(
        other_end + distance >= start and other_start - distance <= end
        for other_start, other_end in _from(found, start - distance)
    )


def _followed_until(found: list[tuple[int, int]] | None, end: int) -> int:
    """The end of the first follower that starts soon after ``end``; -1 where there is none."""
    if found:
        for other_start, other_end in _from(found, end):
            if end <= other_start <= end + THEN_DISTANCE:
                return other_end
    return -1


def _automaton(patterns: list[str]) -> AhoCorasick:
    # As a DFA the three would hold 160 MB in place of 15, and a scan would be no faster (``benchmarks.content``).
    return AhoCorasick(patterns, implementation=Implementation.ContiguousNFA)
