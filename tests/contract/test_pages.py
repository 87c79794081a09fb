"""What a person with a browser sees: a front page, the API to try, problems with whole samples, and nothing foreign."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest

from app.platform.http import response_schemas as documents
from app.platform.http.problem_types import TYPES
from tests.contract.openapi_diff import current
from tests.service import RunningService

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ("/", "/docs", "/errors", "/errors/content-blocked", "/nowhere")


def test_a_browser_gets_pages_that_load_nothing_from_another_host(gate: RunningService) -> None:
    for path in PAGES:
        answer = gate.request("GET", path, headers=BROWSER)
        assert answer.status == (404 if path == "/nowhere" else 200), path
        assert answer.headers["content-type"].startswith("text/html"), path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert ("script-src" in policy) == (path == "/docs")
        text = answer.body.decode()
        assert 'name="viewport" content="width=device-width' in text
        for loaded in re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', text):
            assert loaded.startswith("/"), (path, loaded)
            assert gate.request("GET", loaded).status == 200, loaded
    assert b"callgate.example" not in gate.request("GET", "/", headers=BROWSER).body


def test_programs_are_told_of_a_wrong_address_as_ever(gate: RunningService) -> None:
    for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
        answer = gate.request("GET", "/nowhere", headers=headers)
        assert (answer.status, answer.json()["code"]) == (404, "NOT_FOUND")


def test_every_operation_can_be_sent_from_the_page(gate: RunningService) -> None:
    text = gate.request("GET", "/docs", headers=BROWSER).body.decode()
    assert 'id="key"' in text
    forms = set(re.findall(r'<form data-method="([A-Z]+)" data-path="([^"]+)"', text))
    described = {(method.upper(), path) for path, item in current()["paths"].items() for method in item}
    assert forms == described
    body = re.search(r'data-path="/v1/intents">.*?<textarea[^>]*>(.*?)</textarea>', text, re.DOTALL)
    assert body is not None
    assert json.loads(html.unescape(body[1]))["type"] == "call"


def test_the_samples_of_problems_are_whole() -> None:
    components = current()["components"]
    schema = {"$ref": "#/components/schemas/ProblemDocument", "components": components}
    validator = jsonschema_rs.Draft202012Validator(schema)
    for kind in TYPES:
        shown = documents.example(kind.slug)
        assert [str(fault) for fault in validator.iter_errors(shown)] == [], kind.slug
        assert "{" not in shown["detail"], shown["detail"]
        if kind.slug in ("dnc-blocked", "tcpa-blocked", "frequency-capped", "channel-budget-exceeded"):
            assert shown["violations"][0]["code"] == kind.code
    assert documents.example("content-blocked")["violations"][0]["findings"]


def test_the_script_of_the_page_is_read_by_node(gate: RunningService, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    file = tmp_path / "try.js"
    file.write_bytes(gate.request("GET", "/docs/try.js").body)
    subprocess.run([node, "--check", file], check=True, timeout=60)
