"""The snippets of docs/connectors, as they stand there, before the conformance kit."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.connectors.conformance.faulty_gate import FaultyGate
from app.connectors.conformance.trials import TrialResult, run_trials
from tests.service import CHECKOUT, free_port

PAGES = CHECKOUT / "docs" / "connectors"


def snippet(page: str) -> str:
    """The first Python of a page."""
    found = re.search(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_snippets_of_livekit_and_jambonz_let_no_call_through(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Any] = {}
    for page in ("livekit.md", "jambonz.md"):
        exec(compile(snippet(page), page, "exec"), known)  # what people copy is what is tried
    gate = FaultyGate("127.0.0.1", free_port())
    gate.open()
    monkeypatch.setenv("CALLGATE_URL", gate.url)
    monkeypatch.setenv("CALLGATE_KEY", "cg_any")

    def attempt(to: str, sender: str) -> TrialResult:
        (verb,) = known["call_hook"]({"to": to, "from": sender})
        return TrialResult(verb["verb"] == "dial", verb.get("status"))

    verdicts = list(run_trials(gate, attempt, 3))
    gate.close()
    assert {verdict.fault: verdict.outcome for verdict in verdicts if not verdict.passed} == {}
    assert sum(verdict.outcome == "closed" for verdict in verdicts) > 20


def test_every_system_of_the_matrix_has_a_page_that_says_what_happens_when_callgate_is_away() -> None:
    index = (PAGES / "README.md").read_text()
    pages = sorted(page.name for page in PAGES.glob("*.md") if page.name != "README.md")
    assert len(pages) == 8
    for page in pages:
        assert f"]({page})" in index, page
        assert "\n## When Callgate is away\n" in (PAGES / page).read_text(), page


def test_no_recipe_refuses_with_what_is_tried_elsewhere() -> None:
    """A refusal is 603, or a cause that is final; a 5xx would lead a dialler to its next gateway."""
    for page in PAGES.glob("*.md"):
        text = page.read_text()
        assert not re.search(r'data="5\d\d |"status": 5\d\d|Hangup\((?:34|38|41|42)\)', text), page
