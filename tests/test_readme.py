"""The README beside what it tells of: every setting with its default, every path and every command that it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from typer.main import get_command

from app.cli import app as command_line
from app.settings import PREFIX, Settings
from tests.service import CHECKOUT, RunningService

README = (CHECKOUT / "README.md").read_text()
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ROUTE = re.compile(r"`(GET|POST|PUT|DELETE) (/[^`?\s]*)")
_PARAMETER = re.compile(r"\{[^}]*\}")
# A path that pages write as an address to call: behind $GATE, or behind the host of a local service.
_CALLED = re.compile(r"(?:\$GATE|http://127\.0\.0\.1:8000)(/[^\s'\"?`]*)")


def _shown(default: object) -> str:
    if default is None or default is PydanticUndefined or default == "":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_table_has_every_setting_with_its_default_and_no_other() -> None:
    rows = dict(re.findall(r"^\| `(CALLGATE_[A-Z_]+)` \| (\S*) ?\|", README, re.MULTILINE))
    wanted = {PREFIX + name.upper(): _shown(field.default) for name, field in Settings.model_fields.items()}
    assert rows == wanted


def test_every_command_that_pages_name_exists() -> None:
    group: Any = get_command(command_line)
    commands = {name: group.get_command(None, name) for name in group.list_commands(None)}
    named = {
        tuple(words.split())
        for page in PAGES
        for words in re.findall(
            r"(?:`|^|/)callgate ([a-z]+(?: [a-z]+(?:-[a-z]+)*)?)\b(?! \d)", page.read_text(), re.MULTILINE
        )
    }
    assert len(named) > 3
    for first, *rest in named:
        assert first in commands, f"callgate {first} is named and does not exist"
        below = getattr(commands[first], "commands", None)
        if below is not None and rest:
            assert rest[0] in below, f"callgate {first} {rest[0]} is named and does not exist"


def test_every_test_that_a_promise_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", README)
    assert len(named) > 20
    for file, name in named:
        assert re.search(rf"^(?:async )?def {name}\(", (CHECKOUT / file).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    broken = [
        target
        for target in _LINK.findall(page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def _pattern(path: str) -> re.Pattern[str]:
    """What a path of the API's description matches once its parameters are filled in."""
    return re.compile("[^/]+".join(re.escape(part) for part in _PARAMETER.split(path)))


def test_every_path_that_pages_name_is_in_the_description_of_the_api(gate: RunningService) -> None:
    described: dict[str, dict[str, object]] = gate.get("/openapi.json").json()["paths"]
    patterns = {path: _pattern(path) for path in described}
    apart = {"/docs", "/errors", "/openapi.json"}  # pages of the service that its description does not list
    checked = 0
    for page in PAGES:
        text = page.read_text()
        named = {(method.lower(), path) for method, path in _ROUTE.findall(text)}
        named |= {("", path.rstrip(",;.")) for path in _CALLED.findall(text)}
        for method, path in named:
            if path in apart or "…" in path:
                continue
            found = [known for known, pattern in patterns.items() if pattern.fullmatch(path)]
            assert found, f"{page.name} names {path}"
            assert not method or any(method in described[known] for known in found), (
                f"{page.name}: {method} {path}"
            )
            checked += 1
    assert checked > 20
