"""Twenty ways to disguise a text in plain ASCII (one of them in turned letters), each deterministic."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_VOWELS = "aeiou"
_WORD = re.compile(r"[A-Za-z]{4,}")
_TURNED = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("s", "z"), ("you", "u"), ("for", "4"), ("to", "2"))


def _words(change: Callable[[str, random.Random], str]) -> Callable[[str], str]:
    """A change to every word of four letters or more that is in no link."""

    def whole(text: str) -> str:
        chance = random.Random(11)
        return " ".join(
            token
            if "/" in token or "@" in token or re.search(r"\w\.\w", token)
            else _WORD.sub(lambda found: change(found.group(), chance), token)
            for token in text.split(" ")
        )

    return whole


def _swapped(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _put_in(sign: str) -> Callable[[str, random.Random], str]:
    def change(word: str, chance: random.Random) -> str:
        at = chance.randrange(1, len(word))
        return word[:at] + sign + word[at:]

    return change


def _dropped(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def _doubled(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word))
    return word[:at] + word[at - 1] * 2 + word[at:]


def _first_vowel(sign: str) -> Callable[[str, random.Random], str]:
    return lambda word, _: word[0] + re.sub(f"[{_VOWELS}]", sign, word[1:], count=1)


def _sounds(word: str, _: random.Random) -> str:
    for written, heard in _SOUNDS:
        word = word.replace(written, heard)
    return word


def _one_digit(word: str, _: random.Random) -> str:
    digits = {"o": "0", "e": "3", "i": "1"}
    return word[0] + re.sub("[oei]", lambda found: digits[found.group()], word[1:], count=1)


def _camel(text: str) -> str:
    """Words glued, each with a capital; links stay."""
    pieces: list[str] = []
    for token in text.split(" "):
        glue = token[:1].isalpha() and "." not in token and "/" not in token
        if glue and pieces and pieces[-1][-1:].isalnum() and "." not in pieces[-1] and "/" not in pieces[-1]:
            pieces[-1] += token.capitalize()
        else:
            pieces.append(token.capitalize() if glue else token)
    return " ".join(pieces)


TRICKS: dict[str, Callable[[str], str]] = {
    "letters swapped": _words(_swapped),
    "HTML entities": lambda text: "".join(
        f"&#{ord(c)};" if c.isascii() and c.isalpha() and n % 2 else c for n, c in enumerate(text)
    ),
    "glued CamelCase": _camel,
    "a line break within a word": _words(_put_in("\n")),
    "filler in brackets": _words(_put_in("(xx)")),
    "a letter dropped": _words(_dropped),
    "vowels dropped": _words(lambda word, _: word[0] + re.sub(f"[{_VOWELS}]", "", word[1:])),
    "a star for a vowel": _words(_first_vowel("*")),
    "upside down": lambda text: "".join(_TURNED.get(c, c) for c in text.lower())[::-1],
    "by sound": _words(_sounds),
    "dots": _words(lambda word, _: ".".join(word)),
    "hyphens": _words(lambda word, _: "-".join(word)),
    "underscores": _words(lambda word, _: "_".join(word)),
    "blanks": _words(lambda word, _: " ".join(word)),
    "stars between": _words(lambda word, _: "*".join(word)),
    "a slash within": _words(_put_in("|")),
    "a letter doubled": _words(_doubled),
    "digits for letters": _words(lambda word, _: word.translate(_LEET)),
    "one digit for a letter": _words(_one_digit),
    "alternating case": lambda text: "".join(c.upper() if n % 2 else c.lower() for n, c in enumerate(text)),
}  # fmt: skip
