"""Texts that ask the most of a pattern, made from the pattern itself.

A pattern is walked as Python's own parser reads it, choices made at random: what was walked so far is a prefix,
and what a repetition repeats is a pump. A prefix, the pump many times and an end that fails is what makes a
pattern backtrack; the prefix itself as the pump is what makes a search begin anew at every place.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import app

_parser: Any = importlib.import_module("re._parser")
CHECKOUT = Path(app.__file__).resolve().parents[1]
ENDS = ("", "x", " q", "!", "\n", " zz stop zz")
_ALPHABET = "aZ5 _-.!'@/:é\n\t\u00a0\u0660"
_MANY = 8  # repetitions from which on one counts as unbounded
# What no text from outside ever meets: files of our own, the command line, servers that we started.
_OWN = ("app.platform.embedded", "app.rules", "app.settings", "app.capacity.semaphore.scripts")


def modules() -> Iterator[ModuleType]:
    """Every module of the application."""
    for found in pkgutil.walk_packages(app.__path__, "app."):
        yield importlib.import_module(found.name)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every pattern that text from outside may meet, by a name to tell it by: compiled ones, and those in place."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in modules():
        if module.__name__.startswith(_OWN):
            continue
        for name, value in vars(module).items():
            each = value if isinstance(value, list | tuple) else [value]
            for number, pattern in enumerate(each):
                if isinstance(pattern, re.Pattern):
                    found[f"{module.__name__}.{name}[{number}]"] = pattern
        tree = ast.parse(Path(str(module.__file__)).read_text())
        for call in ast.walk(tree):
            written = _in_place(call)
            if written is not None:
                found[f"{module.__name__}:{call.lineno}"] = re.compile(written)  # type: ignore[attr-defined]
    return found


def _in_place(call: ast.AST) -> str | bytes | None:
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "re"
        and call.func.attr not in ("compile", "escape")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ):
        value = call.args[0].value
        return value if isinstance(value, str | bytes) else None
    return None


def only_from_the_start(name: str) -> bool:
    """Whether the application asks this pattern of `patterns` for nothing but a match at the start of a text."""
    place, _, number = name.rpartition("[")
    variable = place.rpartition(".")[2]
    asked = set(re.findall(rf"\b{variable}\.(\w+)", _sources())) if number == "0]" else set()
    return bool(asked) and asked <= {"match", "fullmatch"}


@lru_cache
def _sources() -> str:
    return "\n".join(Path(str(module.__file__)).read_text() for module in modules())


class Walk:
    """One walk through a pattern: ``text`` matches it, ``pumps`` are the prefixes and what follows them often."""

    def __init__(self, pattern: re.Pattern[Any], seed: int) -> None:
        source = pattern.pattern
        flags = pattern.flags & ~re.DEBUG
        self._random = random.Random(f"{source!r} {seed}")
        self._groups: dict[int, str] = {}
        self.text = ""
        self.pumps: list[tuple[str, str]] = []
        self._walk(_parser.parse(source, flags))
        cut = self._random.randint(1, max(1, len(self.text)))
        self.pumps += [("", self.text), ("", self.text[:cut]), ("", self.text[:cut] + " ")]

    def _walk(self, nodes: Any) -> None:
        for operation, argument in nodes:
            self._step(str(operation), argument)

    def _step(self, operation: str, argument: Any) -> None:
        if operation == "LITERAL":
            self.text += chr(argument)
        elif operation == "NOT_LITERAL":
            self.text += self._pick(lambda c: ord(c) != argument)
        elif operation == "ANY":
            self.text += self._pick(lambda c: c != "\n")
        elif operation == "IN":
            self.text += self._of_class(argument)
        elif operation == "BRANCH":
            self._walk(self._random.choice(argument[1]))
        elif operation == "SUBPATTERN":
            start = len(self.text)
            self._walk(argument[3])
            self._groups[argument[0]] = self.text[start:]
        elif operation == "ATOMIC_GROUP":
            self._walk(argument)
        elif operation == "ASSERT" and argument[0] > 0:
            before = self.text
            self._walk(argument[1])
            self.pumps.append((before, self.text[len(before) :]))
            self.text = before
        elif operation == "GROUPREF":
            self.text += self._groups.get(argument, "")
        elif operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            self._repeat(*argument)

    def _repeat(self, least: int, most: int, nodes: Any) -> None:
        before = self.text
        if most >= _MANY:
            for _ in range(2):
                self._walk(nodes)
            if self.text != before:
                self.pumps.append((before, self.text[len(before) :]))
                self.pumps.append((before, _one(self.text[len(before) :])))
            self.text = before
        for _ in range(self._random.randint(least, min(most, least + 2))):
            self._walk(nodes)

    def _of_class(self, members: Any) -> str:
        negated = str(members[0][0]) == "NEGATE"
        inside = members[1:] if negated else members
        if not negated:
            operation, argument = self._random.choice(inside)
            if str(operation) == "LITERAL":
                return chr(argument)
            if str(operation) == "RANGE":
                return chr(self._random.randint(argument[0], min(argument[1], argument[0] + 25)))
        return self._pick(lambda c: _in_class(c, inside) != negated)

    def _pick(self, wanted: Any) -> str:
        fitting = [c for c in _ALPHABET if wanted(c)]
        return self._random.choice(fitting) if fitting else "a"


def _one(text: str) -> str:
    return text[: max(1, len(text) // 2)]


def _in_class(character: str, members: Any) -> bool:
    for operation, argument in members:
        kind = str(operation)
        if kind == "LITERAL" and ord(character) == argument:
            return True
        if kind == "RANGE" and argument[0] <= ord(character) <= argument[1]:
            return True
        if kind == "CATEGORY" and _in_category(character, str(argument)):
            return True
    return False


def _in_category(character: str, category: str) -> bool:
    letter = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[category.rsplit("_", 1)[1]]
    return bool(re.match(letter, character)) != ("NOT" in category)


def words_of(pattern: re.Pattern[Any]) -> list[str]:
    """The words that stand in a pattern, as they are written there."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    return sorted(set(re.findall(r"[^\W\d_][\w']+", re.sub(r"\\[a-zA-Z]", " ", text))))


def pumps_of(pattern: re.Pattern[Any], walks: int) -> list[tuple[str, str]]:
    """Prefixes and what to repeat after each, without repeats, in an order that never changes."""
    found: dict[tuple[str, str], None] = {}
    for seed in range(walks):
        found.update(dict.fromkeys(Walk(pattern, seed).pumps))
    found.update({("", f"{word} "): None for word in words_of(pattern)[:40]})
    return [pump for pump in found if pump[1]]


def pumped(prefix: str, pump: str, end: str, length: int) -> str:
    """A text of about this length."""
    return prefix + pump * max(1, (length - len(prefix) - len(end)) // len(pump)) + end
