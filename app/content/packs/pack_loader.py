"""The content packs: what a text must not carry, as data, read and checked once at the start.

A pack is a TOML file in ``app/content/packs/``. It declares rules (id, severity, why, remedy) and phrases
that belong to them, with the company a phrase needs and what excuses it. ``{a|b|}`` in a phrase stands for
each of its alternatives, so that a line can say many phrases. ``@name`` in a list of words stands for a list
declared under ``[words]`` in any pack.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

from app.platform.files.broken_file import BrokenRuleFile

Severity = Literal["block", "warn"]
Company = Literal["link", "phone", "data"]
Borders = Literal["both", "left", "right", "none"]

PACKS_DIRECTORY = Path(__file__).parent
MAX_EXPANSIONS = 3000  # of one phrase; beyond it the pattern is a mistake
_RULE_ID = re.compile(r"[a-z]+(\.[a-z]+([_-][a-z]+)*)?")
_VERSION = re.compile(r"\d{4}\.\d{2}\.\d+")
_GROUP = re.compile(r"\{([^{}]*)\}")
_RULE_KEYS = {"id", "severity", "allowed", "unconditional", "allowable", "why", "remedy", "source"}
_PHRASE_KEYS = {"rule", "any", "then", "severity", "needs", "near", "alone", "excuse", "borders"}
_PACK_KEYS = {"pack", "version", "source", "rules", "phrases", "words", "lists"}


@dataclass(frozen=True, slots=True)
class ContentRule:
    """One rule of the table. ``severity`` is what it has before the account's policy speaks."""

    id: str
    severity: Severity
    why: str
    remedy: str
    source: str
    pack: str
    unconditional: bool = False  # no policy lowers it
    allowable: bool = False  # an account may allow the category; its findings then warn


@dataclass(frozen=True, slots=True)
class Phrase:
    """Phrases that belong to a rule under the same conditions; alternatives are expanded."""

    rule: str
    texts: tuple[str, ...]
    severity: Severity | None = None  # None: the rule's
    then: tuple[str, ...] = ()  # one of these must follow soon; the span reaches to its end
    needs: tuple[str, ...] = ()  # one of these words must stand nearby
    near: frozenset[Company] = frozenset()  # one of these must be in the text
    alone: Literal["warn", "none"] = "warn"  # what remains where ``near`` is not met
    excuse: tuple[str, ...] = ()  # one of these nearby, and the phrase is honest
    borders: Borders = "both"


@dataclass(frozen=True, slots=True)
class ContentPacks:
    """All packs together. ``version`` changes whenever a byte of any of them does."""

    version: str
    rules: Mapping[str, ContentRule]
    phrases: tuple[Phrase, ...]
    words: Mapping[str, tuple[str, ...]]
    lists: Mapping[str, tuple[str, ...]]
    confusables: Mapping[str, str]  # one character -> one ASCII letter


def load_content_packs(directory: Path = PACKS_DIRECTORY) -> ContentPacks:
    """Read every pack of the directory. Raises ``BrokenRuleFile`` at the first fault."""
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise BrokenRuleFile(directory, None, "holds no pack")
    files = [_File(path) for path in paths]
    words: dict[str, tuple[str, ...]] = {}
    lists: dict[str, tuple[str, ...]] = {}
    confusables: dict[str, str] = {}
    rules: dict[str, ContentRule] = {}
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.raw)
        if file.data.get("pack") == "confusables":
            confusables.update(file.confusables())
            continue
        file.check_keys()
        for name, entries in file.tables("words").items():
            words[name] = file.expand_all(file.strings(entries, name))
        for name, entries in file.tables("lists").items():
            lists[name] = file.strings(entries, name)
        for rule in file.rules():
            if rule.id in rules:
                raise file.broken(rule.id, f"rule {rule.id} is declared twice")
            rules[rule.id] = rule
    phrases = [phrase for file in files for phrase in file.phrases(rules, words)]
    latest = max(str(file.data["version"]) for file in files)
    version = f"{latest}+{digest.hexdigest()[:12]}"
    return ContentPacks(version, rules, tuple(phrases), words, lists, confusables)


def expand(pattern: str) -> list[str]:
    """``"{a|b} c{|s}"`` to all that it stands for. Raises ``ValueError`` when it is malformed."""
    parts: list[list[str]] = []
    position = 0
    for group in _GROUP.finditer(pattern):
        parts.append([pattern[position : group.start()]])
        parts.append(group.group(1).split("|"))
        position = group.end()
    parts.append([pattern[position:]])
    if any("{" in piece or "}" in piece for part in parts for piece in part):
        raise ValueError("unbalanced or nested braces")
    size = 1
    for part in parts:
        size *= len(part)
    if size > MAX_EXPANSIONS:
        raise ValueError(f"stands for {size} phrases, more than {MAX_EXPANSIONS}")
    texts = [" ".join("".join(pieces).split()) for pieces in product(*parts)]
    if not all(texts):
        raise ValueError("stands for an empty phrase")
    return texts


class _File:
    """One TOML file while it is being checked; knows its lines, so that a fault can name one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = path.read_bytes()
        try:
            text = self.raw.decode("utf-8")
            self.data: dict[str, Any] = tomllib.loads(text)
        except UnicodeDecodeError as error:
            line = self.raw[: error.start].count(b"\n") + 1
            raise BrokenRuleFile(path, line, "is not UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            at = int(found.group(1)) if found else self.raw.count(b"\n") + 1
            raise BrokenRuleFile(path, at, f"is not TOML: {error}") from error
        self.lines = text.splitlines()
        for key in ("pack", "version", "source"):
            if not isinstance(self.data.get(key), str) or not self.data[key].strip():
                raise BrokenRuleFile(path, 1, f"lacks the text {key!r}")
        if not _VERSION.fullmatch(self.data["version"]):
            raise self.broken("version", "version must read YYYY.MM.N")

    def broken(self, needle: str, reason: str, after: int = 0) -> BrokenRuleFile:
        """A fault at the first line, from ``after`` on, that holds the needle."""
        for number, line in enumerate(self.lines[after:], after + 1):
            if needle in line:
                return BrokenRuleFile(self.path, number, reason)
        return BrokenRuleFile(self.path, after + 1, reason)

    def check_keys(self) -> None:
        for key in self.data.keys() - _PACK_KEYS:
            raise self.broken(key, f"unknown key {key!r}")

    def tables(self, key: str) -> dict[str, Any]:
        table = self.data.get(key, {})
        if not isinstance(table, dict):
            raise self.broken(key, f"[{key}] must be a table")
        return table

    def strings(self, value: object, name: str, after: int = 0) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
            raise self.broken(name, f"{name} must be a list of texts, and not empty", after)
        return tuple(value)

    def expand_all(self, patterns: tuple[str, ...], after: int = 0) -> tuple[str, ...]:
        texts: dict[str, None] = {}
        for pattern in patterns:
            try:
                texts.update(dict.fromkeys(expand(pattern)))
            except ValueError as error:
                raise self.broken(pattern, f"{pattern!r} {error}", after) from error
        return tuple(texts)

    def starts(self, header: str) -> list[int]:
        """The line index after each ``[[header]]``, in order."""
        return [number for number, line in enumerate(self.lines, 1) if line.strip() == f"[[{header}]]"]

    def entries(self, header: str, known: set[str]) -> list[tuple[int, dict[str, Any]]]:
        found = self.data.get(header, [])
        starts = self.starts(header)
        if not isinstance(found, list) or len(starts) != len(found):
            raise self.broken(header, f"{header} must be written as [[{header}]] blocks")
        for after, entry in zip(starts, found, strict=True):
            for key in entry.keys() - known:
                raise self.broken(key, f"unknown key {key!r} in [[{header}]]", after)
        return list(zip(starts, found, strict=True))

    def rules(self) -> list[ContentRule]:
        rules = []
        for after, entry in self.entries("rules", _RULE_KEYS):
            rule_id, severity = entry.get("id"), entry.get("severity")
            if not isinstance(rule_id, str) or not _RULE_ID.fullmatch(rule_id):
                raise self.broken("id", f"{rule_id!r} is not a rule id", after)
            if severity not in ("block", "warn"):
                raise self.broken("severity", f"severity of {rule_id} must be block or warn", after)
            for key in ("why", "remedy"):
                if not isinstance(entry.get(key), str) or not entry[key].strip():
                    raise BrokenRuleFile(self.path, after, f"rule {rule_id} lacks {key!r}")
            for key in ("unconditional", "allowable"):
                if not isinstance(entry.get(key, False), bool):
                    raise self.broken(key, f"{key} of {rule_id} must be true or false", after)
            if entry.get("unconditional") and entry.get("allowable"):
                raise self.broken("allowable", f"{rule_id} cannot be unconditional and allowable", after)
            rules.append(
                ContentRule(
                    id=rule_id,
                    severity=severity,
                    why=entry["why"],
                    remedy=entry["remedy"],
                    source=str(entry.get("source", self.data["source"])),
                    pack=self.data["pack"],
                    unconditional=entry.get("unconditional", False),
                    allowable=entry.get("allowable", False),
                )
            )
        return rules

    def phrases(self, rules: Mapping[str, ContentRule], words: Mapping[str, tuple[str, ...]]) -> list[Phrase]:
        phrases = []
        for after, entry in self.entries("phrases", _PHRASE_KEYS):
            rule = entry.get("rule")
            if not isinstance(rule, str) or rule not in rules:
                raise self.broken("rule", f"phrases of an undeclared rule {rule!r}", after)
            if entry.get("severity", "block") not in ("block", "warn"):
                raise self.broken("severity", "severity must be block or warn", after)
            if entry.get("alone", "warn") not in ("warn", "none"):
                raise self.broken("alone", "alone must be warn or none", after)
            if entry.get("borders", "both") not in ("both", "left", "right", "none"):
                raise self.broken("borders", "borders must be both, left, right or none", after)
            near = entry.get("near", [])
            if not isinstance(near, list) or not set(near) <= {"link", "phone", "data"}:
                raise self.broken("near", "near takes link, phone and data", after)
            phrases.append(
                Phrase(
                    rule=rule,
                    texts=self.expand_all(self.strings(entry.get("any"), "any", after), after),
                    severity=entry.get("severity"),
                    then=self.words(entry.get("then"), "then", after, words),
                    needs=self.words(entry.get("needs"), "needs", after, words),
                    near=frozenset(near),
                    alone=entry.get("alone", "warn"),
                    excuse=self.words(entry.get("excuse"), "excuse", after, words),
                    borders=entry.get("borders", "both"),
                )
            )
        return phrases

    def words(
        self, value: object, name: str, after: int, words: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, ...]:
        if value is None:
            return ()
        texts: dict[str, None] = {}
        for entry in self.strings(value, name, after):
            if entry.startswith("@"):
                if entry[1:] not in words:
                    raise self.broken(entry, f"{name} names an unknown list {entry}", after)
                texts.update(dict.fromkeys(words[entry[1:]]))
            else:
                texts.update(dict.fromkeys(self.expand_all((entry,), after)))
        return tuple(texts)

    def confusables(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for table in ("tr39", "supplement"):
            for letter, characters in self.tables(table).items():
                if not re.fullmatch("[a-z]", letter) or not isinstance(characters, str):
                    raise self.broken(f"{letter} =", f"[{table}] maps one ASCII letter to a text")
                for character in characters:
                    if character.isascii():
                        raise self.broken(f"{letter} =", f"{character!r} is ASCII and stands for itself")
                    found[character] = letter
        return found
