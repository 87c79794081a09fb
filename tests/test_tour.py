"""docs/tour.md and the decisions beside the code: every file and every name that they lead to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.intents.batch import AT_ONCE
from tests.service import CHECKOUT

PAGES = [CHECKOUT / "docs/tour.md", *sorted((CHECKOUT / "docs/decisions").glob("*.md"))]
SOURCES = [
    path
    for folder in ("app", "migrations", "tests")
    for path in (CHECKOUT / folder).rglob("*")
    if path.suffix in (".py", ".lua", ".toml")
]
_CODE = re.compile(r"`([^`]+)`")
_FILE = re.compile(r"[\w/*]+\.(?:py|lua|toml)")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_WORDS = frozenset(
    word
    for path in SOURCES
    if "tests" not in path.parts
    for word in re.findall(r"\w+", f"{path.parent.name} {path.stem} {path.read_text()}")
)


def quoted(page: Path) -> list[str]:
    """What the page writes as code, outside its blocks."""
    return _CODE.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_and_names_are_there(page: Path) -> None:
    missing = []
    for code in quoted(page):
        if _FILE.fullmatch(code):
            if not any(path.match(code.removeprefix("app/")) for path in SOURCES):
                missing.append(code)
        elif "_" in code and _NAME.fullmatch(code) and not code.isupper() and "CALLGATE_" not in code:
            missing += [code for part in code.split(".") if part not in _WORDS]
    assert missing == []


def test_the_tour_leads_somewhere() -> None:
    codes = quoted(PAGES[0])
    assert sum(bool(_FILE.fullmatch(code)) for code in codes) > 20
    assert sum("_" in code for code in codes) > 20


def test_the_figures_of_the_tour_are_those_of_the_code() -> None:
    assert f"for each item, {AT_ONCE} at a time" in PAGES[0].read_text()


def test_confidence_means_the_same_wherever_it_is_told() -> None:
    """In the README, on the page of the law, and at the head of the rules themselves."""
    rules = (CHECKOUT / "app" / "law" / "rules" / "pack.toml").read_text()
    for text in ((CHECKOUT / "README.md").read_text(), (CHECKOUT / "docs" / "law.md").read_text(), rules):
        told = " ".join(re.sub("[*#]", "", text).split())
        assert "a mirror of it or" in told
        assert "second hand" in told
