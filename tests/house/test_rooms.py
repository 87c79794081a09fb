"""One subject, one room: what is called how, and how much one level may hold."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.house.tree import APP, CHECKOUT, FLOORS, name_of, room_of, sources

MOST_LINES, MOST_FILES = 300, 16


def test_no_file_name_stands_in_two_rooms_but_the_floors() -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for path in sources():
        if path.stem not in FLOORS:
            rooms[path.stem].add(room_of(path))
    assert {name: found for name, found in rooms.items() if len(found) > 1} == {}


def test_no_file_name_stands_twice_in_a_room_but_the_floors() -> None:
    names = Counter((room_of(path), path.stem) for path in sources() if path.stem not in FLOORS)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_level_of_a_room_holds_more_than_sixteen_files() -> None:
    levels = Counter(name_of(path.parent) for path in sources() if path.name != "__init__.py")
    assert {level: count for level, count in levels.items() if count > MOST_FILES} == {}


@pytest.mark.parametrize("under", ["app", "migrations", "tests"])
def test_no_python_file_is_longer_than_three_hundred_lines(under: str) -> None:
    # A landed migration, and the tables as they are now, are read from beginning to end, like a letter.
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(under)
        if path.name != "tables.py"
    }
    most = MOST_LINES if under != "tests" else MOST_LINES + 100
    assert {name: lines for name, lines in lengths.items() if lines > most} == {}


def test_every_room_of_the_house_is_in_the_contract_and_none_that_is_gone() -> None:
    """import-linter fails for a room that is missing; it does not for one that is left over in the layers' words."""
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    named = {name for layer in layers for name in re.findall(r"\w+", layer)}
    here = {path.stem for path in APP.glob("*.py")} | {path.parent.name for path in APP.glob("*/__init__.py")}
    assert named == here - {"__init__"}


# The kinds of jobs, by which a job is found again.
TRADE_ON_THE_PLATFORM = {"app/platform/jobs/store.py"}
_TRADE = re.compile(
    r"\b(consents?|suppress\w+|calling.window|dnc|tcpa|opt.outs?|campaigns?)\b", re.IGNORECASE
)


def test_nothing_of_the_platform_knows_a_word_of_the_trade_but_the_answers_that_rooms_share() -> None:
    """The documents of checks and violations and the pages of problems lie with HTTP: several rooms answer them."""
    found = {
        name_of(path): sorted({match.lower() for match in _TRADE.findall(_code(path))})
        for path in sources("app/platform")
        if "app/platform/http/" not in name_of(path) and _TRADE.search(_code(path))
    }
    assert set(found) == TRADE_ON_THE_PLATFORM, found


def _code(path: Path) -> str:
    """The file without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)
