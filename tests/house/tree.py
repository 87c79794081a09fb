"""The sources as they lie in the house, and what their syntax trees say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
APP = CHECKOUT / "app"
FLOORS = frozenset({"__init__", "cli", "http", "store", "verdict"})
# The rooms that the guardrails' layers are made of; platform is divided by outside thing, each a room of its own.
DIVIDED = ("platform",)


@cache
def sources(under: str = "app") -> tuple[Path, ...]:
    """Every Python file under a folder of the checkout, in order."""
    return tuple(sorted(path for path in (CHECKOUT / under).rglob("*.py") if "__pycache__" not in path.parts))


@cache
def parsed(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """The path as people write it, from app/ or tests/ on."""
    return path.relative_to(CHECKOUT).as_posix()


def room_of(path: Path) -> str:
    """The subject that a file of app/ belongs to: ``suppression``, ``platform/http``; "" on the ground floor."""
    *folders, _ = path.relative_to(APP).parts
    return "/".join(folders[: 2 if folders and folders[0] in DIVIDED else 1])


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in the file."""
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called: ``begin`` of ``services.database.begin()``."""
    function = call.func
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )
