"""Every key that a script touches is handed to it in KEYS: a Cluster routes by them, and an ACL judges by them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.capacity.semaphore import scripts
from app.platform.redis.lua_script import LOADED, Script
from tests.house.tree import APP

FILES = sorted(APP.rglob("*.lua"))
_CALL = re.compile(r"redis\.p?call\(\s*'(\w+)'\s*,?\s*([^,)]*)")
_WITHOUT_KEY = {"TIME"}
_NAME = re.compile(r"KEYS\[[^\]]+\]|[A-Za-z_]\w*(?:\.\w+|\[[\w.]+\])*")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_no_script_makes_up_the_name_of_a_key(file: Path) -> None:
    made_up = [
        f"{command} {key}"
        for command, key in _CALL.findall(_code(file))
        if command not in _WITHOUT_KEY and not _NAME.fullmatch(key.strip())
    ]
    assert made_up == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_no_script_puts_the_name_of_a_key_together(file: Path) -> None:
    """A name of ours begins with the prefix or holds braces, a colon or both; no script spells one out."""
    literals = re.findall(r"'([^'\n]*)'", _code(file))
    assert [literal for literal in literals if re.search(r"[{}]|\w:|:\w", literal)] == []


@pytest.mark.parametrize("script", LOADED, ids=lambda script: str(script.name))
def test_every_script_says_at_its_head_which_keys_it_takes(script: Script) -> None:
    assert re.search(r"^--.*\bKEYS\b", script.source, re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_what_sets_a_string_gives_it_an_end(file: Path) -> None:
    forever = [
        line.strip()
        for line in _code(file).splitlines()
        if re.search(r"redis\.call\('SET'", line) and not re.search(r"'PX'|'KEEPTTL'", line)
    ]
    # One call over two lines ends on the second.
    assert [line for line in forever if line.endswith(")")] == []


def test_every_lua_file_is_a_script_or_part_of_one() -> None:
    assert {script.name for script in LOADED} >= {
        script.name for script in vars(scripts).values() if isinstance(script, Script)
    }
    included = {name for file in FILES for name in re.findall(r"--@include (\w+\.lua)", file.read_text())}
    assert {file.name for file in FILES} == {script.name for script in LOADED} | included


def _code(file: Path) -> str:
    return re.sub(r"--.*", "", file.read_text(encoding="utf-8"))
