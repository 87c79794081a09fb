"""Ways to disguise a text in plain ASCII (one of them in turned letters), each deterministic: twenty, and more."""

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


def _mapped(letters: dict[str, str]) -> Callable[[str], str]:
    """Each of these letters, in words, by what passes for it."""

    def change(word: str, _: random.Random) -> str:
        for letter, instead in letters.items():
            word = word.replace(letter, instead)
        return word

    return _words(change)


def _between(sign: str) -> Callable[[str], str]:
    """A sign where a blank was between two words."""
    return lambda text: re.sub(r"(?<=[a-zA-Z]) (?=[a-zA-Z])", lambda _: sign, text)


def _escaped(form: str) -> Callable[[str], str]:
    """Every third letter by its number."""
    return lambda text: "".join(
        form.format(ord(c)) if c.isascii() and c.isalpha() and n % 3 == 0 else c for n, c in enumerate(text)
    )


def _one_in(opens: str, closes: str) -> Callable[[str, random.Random], str]:
    def change(word: str, chance: random.Random) -> str:
        at = chance.randrange(len(word))
        return f"{word[:at]}{opens}{word[at]}{closes}{word[at + 1 :]}"

    return change


def _halves(sign: str) -> Callable[[str, random.Random], str]:
    return lambda word, _: f"{sign}{word[: len(word) // 2]}{sign}{word[len(word) // 2 :]}"


# Written after the twenty were mended, and mended in their turn; those that still pass are listed with the rest.
MORE_TRICKS: dict[str, Callable[[str], str]] = {
    "l for i": _mapped({"i": "l"}),
    "I for l": _mapped({"l": "I"}),
    "capitals, l for I": _words(lambda word, _: word.upper().replace("I", "l")),
    "rn for m, vv for w": _mapped({"m": "rn", "w": "vv"}),
    "cl for d": _mapped({"d": "cl"}),
    "q for g, v for u": _mapped({"g": "q", "u": "v"}),
    "z for s": _mapped({"s": "z"}),
    "k for c": _mapped({"c": "k"}),
    "one blank within": _words(_put_in(" ")),
    "the first letter apart": _words(lambda word, _: word[0] + " " + word[1:]),
    "an apostrophe within": _words(_put_in("'")),
    "an ampersand within": _words(_put_in("&")),
    "a plus within": _words(_put_in("+")),
    "a percent sign within": _words(_put_in("%")),
    "four dots within": _words(_put_in("....")),
    "a hyphen and a new line": _words(_put_in("-\n")),
    "a tab within": _words(_put_in("\t")),
    "a tag within": _words(_put_in("<b>")),
    "a comment within": _words(_put_in("<!-- x -->")),
    "a letter in brackets": _words(_one_in("[", "]")),
    "a letter three times": _words(lambda word, _: word[:2] + word[1] * 2 + word[2:]),
    "numbers of addresses": _escaped("%{:02x}"),
    "numbers of mail": _escaped("={:02X}"),
    "numbers of programs": _escaped("\\u{:04x}"),
    "entities written twice": _escaped("&amp;#{};"),
    "entities without an end": _escaped("&#{}"),
    "stars between words": _between("*"),
    "pluses between words": _between("+"),
    "faces between words": _between(" :) "),
    "dashes between words": _between(" -- "),
    "dots between words": _between("... "),
    "bold halves": _words(_halves("**")),
    "brackets for o": _mapped({"o": "()"}),
    "a bracket for c": _mapped({"c": "("}),
    "strokes for a": _mapped({"a": "/\\"}),
    "a hash for a vowel": _words(_first_vowel("#")),
    "a hyphen for a vowel": _words(_first_vowel("-")),
    "a star for the first letter": _words(lambda word, _: "*" + word[1:]),
    "a digit within": _words(_put_in("9")),
    "words glued": lambda text: re.sub(r"(?<=[a-z]) (?=[a-z])", "", text.lower()),
}
