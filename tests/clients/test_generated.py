"""What is generated of the clients is of this release; `make clients` makes it anew."""

from __future__ import annotations

import hashlib
import json
import tomllib
import zipfile
from pathlib import Path

import pytest
from callgate_client import __version__
from setuptools import build_meta  # type: ignore[import-untyped]

from app import VERSION
from tests.service import CHECKOUT

CLIENTS = CHECKOUT / "clients"
DIGEST = hashlib.sha256((CHECKOUT / "docs" / "openapi.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("file", ["python/callgate_client/models.py", "typescript/lib/schema.d.ts"])
def test_it_was_made_from_the_description_as_it_is(file: str) -> None:
    head = (CLIENTS / file).read_text(encoding="utf-8")[:400]
    assert f"sha256 of it: {DIGEST}" in head, "docs/openapi.json has changed since: run `make clients`"


def test_one_version_for_the_service_and_both_clients() -> None:
    described = json.loads((CHECKOUT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    package = json.loads((CLIENTS / "typescript" / "package.json").read_text(encoding="utf-8"))
    assert {described["info"]["version"], package["version"], __version__} == {VERSION}


def test_the_compiled_client_is_of_the_source_that_lies_beside_it() -> None:
    source = hashlib.sha256((CLIENTS / "typescript/src/callgate.ts").read_bytes()).hexdigest()
    head = (CLIENTS / "typescript/lib/callgate.js").read_text(encoding="utf-8")[:400]
    assert f"sha256 of it: {source}" in head, "src/callgate.ts has changed since: run `make clients`"


def test_the_wheel_of_the_python_client_is_the_client_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / "callgate_client").mkdir(parents=True)
    for file in ("pyproject.toml", "README.md", *(f"callgate_client/{p.name}" for p in _sources())):
        (project / file).write_bytes((CLIENTS / "python" / file).read_bytes())
    monkeypatch.chdir(project)
    name = build_meta.build_wheel(str(tmp_path))
    assert name == f"callgate_client-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / name) as wheel:
        held = {each for each in wheel.namelist() if ".dist-info/" not in each}
    assert held == {f"callgate_client/{path.name}" for path in _sources()}
    assert "callgate_client/py.typed" in held


def test_the_services_wheel_does_not_hold_the_clients() -> None:
    setting = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert setting["tool"]["setuptools"]["packages"]["find"]["include"] == ["app*", "migrations*"]


def _sources() -> list[Path]:
    return [path for path in sorted((CLIENTS / "python/callgate_client").iterdir()) if path.is_file()]
