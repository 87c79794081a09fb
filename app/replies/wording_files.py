"""The keywords and wordings of replies, as data: read and compiled once, and named by a version in every decision.

``keywords.toml`` has what counts as a whole body, in the languages of the biggest markets; ``wordings.toml`` has
patterns over clauses. Both say where they come from. A word is folded as replies are, so it is written as people do.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.content.reading.fold import packaged_fold
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.digest import short_digest

KEYWORDS_FILE = Path(__file__).parent / "keywords.toml"
WORDINGS_FILE = Path(__file__).parent / "wordings.toml"

_PUNCTUATION = re.compile(r"[^\w' ]+|(?<!\w)'|'(?!\w)|_")
_NUMBER_SIGN = re.compile(r"#(?![\w-])")
_VERSION = re.compile(r"\d{4}\.\d{2}\.\d+")
# Scripts that are written without blanks, or that put endings to a word: a wording is sought anywhere.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Leading:
    """Keywords that may stand first in a longer message, and what follows them, folded."""

    strong: tuple[str, ...]
    weak: tuple[str, ...]
    other: frozenset[str]  # after "stop": another word or an errand
    days: frozenset[str]
    going_on: frozenset[str]
    amused: tuple[str, ...]
    ordinary: frozenset[str]  # what "cancel" and "end" are said of


@dataclass(frozen=True, slots=True)
class Keywords:
    """What a whole body may be, folded. ``exact`` is compared with its accents."""

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    help: frozenset[str]
    whole: frozenset[str]
    exact: frozenset[str]
    spaced: tuple[str, ...]  # wordings between blanks
    unspaced: tuple[str, ...]  # wordings anywhere
    signs: frozenset[str]
    friendly: frozenset[str]  # signs that change nothing about an opt-in
    leading: Leading
    mistyped: tuple[str, ...]
    never_mistyped: frozenset[str]
    mended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wordings:
    """Patterns over folded clauses."""

    certain: list[re.Pattern[str]]
    opt_out: list[re.Pattern[str]]
    none: list[re.Pattern[str]]


def normal(text: str) -> str:
    """Folded, with single blanks and no punctuation but apostrophes and signs inside words."""
    folded = packaged_fold()(text)
    if "#" in folded:
        folded = _NUMBER_SIGN.sub(" number ", folded)
    words = _PUNCTUATION.sub(" ", folded).split()
    if len(words) > 2 and all(len(word) == 1 for word in words):
        return "".join(words)  # "S T O P"
    return " ".join(words)


def accented(text: str) -> str:
    """Lower case with its accents, without what stands at the ends."""
    return unicodedata.normalize("NFC", text).casefold().strip(" \t\r\n.,!?;:\"'")


def _as_written(words: str) -> set[str]:
    """As they are folded, in capitals too, which people write without accents: in Greek those fold to other letters."""
    bare = "".join(c for c in unicodedata.normalize("NFD", words) if not unicodedata.combining(c))
    ways = (
        [words]
        if words.isascii()
        else [way for each in (words, bare) for way in (each, each.upper(), each.title())]
    )
    return set(map(normal, ways))


def load_keywords(path: Path = KEYWORDS_FILE) -> Keywords:
    """Read ``keywords.toml``. Raises ``BrokenRuleFile``."""
    data = _data(path)
    named = data["keywords"]
    whole: set[str] = set()
    exact: set[str] = set()
    contains: set[str] = set()
    for entry in data["whole"]:
        whole.update(way for word in entry.get("words", ()) for way in _as_written(word))
        exact.update(map(accented, entry.get("exact", ())))
        contains.update(way for words in entry.get("contains", ()) for way in _as_written(words) if way)
    for entry in data["scopes"]:
        whole.update(f"{verb} {scope}" for verb in entry["verbs"] for scope in entry["scopes"])
    typos = data["typos"]
    return Keywords(
        opt_out=frozenset(named["opt_out"]),
        opt_in=frozenset(named["opt_in"]),
        help=frozenset(named["help"]),
        whole=frozenset(filter(None, whole)),
        exact=frozenset(exact),
        spaced=tuple(sorted(f" {each} " for each in contains if not _UNSPACED.search(each))),
        unspaced=tuple(sorted(each.replace(" ", "") for each in contains if _UNSPACED.search(each))),
        signs=frozenset(data["signs"]["opt_out"]),
        friendly=frozenset(data["signs"]["friendly"]),
        leading=_leading(data["leading"]),
        mistyped=tuple(typos["of"]),
        never_mistyped=frozenset(typos["never"]),
        mended=tuple(typos["words"]),
    )


def _leading(data: dict[str, list[str]]) -> Leading:
    return Leading(
        strong=tuple(data["strong"]),
        weak=tuple(data["weak"]),
        other=frozenset(map(normal, data["other"])),
        days=frozenset(data["days"]),
        going_on=frozenset(data["going_on"]),
        amused=tuple(data["amused"]),
        ordinary=frozenset(map(normal, data["ordinary"])),
    )


def load_wordings(path: Path = WORDINGS_FILE) -> Wordings:
    """Read and compile ``wordings.toml``. Raises ``BrokenRuleFile``."""
    data = _data(path)
    found = Wordings([], [], [])
    for entry in data["wordings"]:
        into = found.certain if entry.get("certain") else found.opt_out
        if entry["means"] == "none":
            into = found.none
        into.extend(_compiled(path, entry["patterns"], data["words"]))
    return found


def version_of(*paths: Path) -> str:
    """What a decision records: it changes with any byte of these files."""
    return short_digest(b"".join(path.read_bytes() for path in paths))


def _compiled(path: Path, written: Iterable[str], words: dict[str, str]) -> Iterable[re.Pattern[str]]:
    for text in written:
        pattern = text
        for name, stands_for in words.items():
            pattern = pattern.replace("{" + name + "}", stands_for)
        try:
            yield re.compile(pattern)
        except re.error as error:
            raise BrokenRuleFile(path, None, f"{text!r} is no pattern: {error}") from error


def _data(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrokenRuleFile(path, None, f"is not TOML: {error}") from error
    if not _VERSION.fullmatch(str(data.get("version"))) or not data.get("source"):
        raise BrokenRuleFile(path, None, "lacks its version, as YYYY.MM.N, or its source")
    return data
