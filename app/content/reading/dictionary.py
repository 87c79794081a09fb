"""English as it is written: which words there are, and which pairs of letters they have.

The words are pyspellchecker's (MIT), with how often each stands in a collection of subtitles; its data file is read
once, at the start, and none of its code.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import orjson

from app.platform.files.broken_file import BrokenRuleFile

COMMON_WORDS = 30_000  # kept in memory; of the rarer ones only those that a caller asks about
_RARE_PAIR = 12  # of the pairs of letters in the common words; fewer, and a name is not made of words


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The common words, the other words that were asked for, and the pairs of letters that words hardly have."""

    common: frozenset[str]
    others: frozenset[str]
    rare_pairs: frozenset[str]

    def knows(self, word: str) -> bool:
        """Whether it is a word."""
        return word in self.common or word in self.others


@lru_cache(maxsize=1)
def _words() -> dict[str, int]:
    spec = find_spec("spellchecker")
    if spec is None or spec.origin is None:
        raise BrokenRuleFile(Path("spellchecker"), None, "is not installed, and holds the words of English")
    path = Path(spec.origin).parent / "resources" / "en.json.gz"
    try:
        found: dict[str, int] = orjson.loads(gzip.decompress(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise BrokenRuleFile(path, None, f"does not hold the words of English: {error}") from error
    return found


def load_dictionary(is_wanted: Callable[[str], bool]) -> Dictionary:
    """The dictionary, with those of the rarer words that are wanted. Raises ``BrokenRuleFile``."""
    words = _words()
    ranked = sorted(words, key=lambda word: -words[word])
    common = frozenset(ranked[:COMMON_WORDS])
    others = frozenset(word for word in ranked[COMMON_WORDS:] if len(word) >= 4 and is_wanted(word))
    pairs = Counter(a + b for word in common for a, b in pairwise(word))
    letters = "abcdefghijklmnopqrstuvwxyz"
    rare = frozenset(a + b for a in letters for b in letters if pairs[a + b] < _RARE_PAIR)
    _words.cache_clear()
    return Dictionary(common, others, rare)


def shape(word: str) -> tuple[str, str, str]:
    """What a reader takes a word by: its first letter, its last, and which stand between."""
    return word[0], "".join(sorted(word[1:-1])), word[-1]
