"""Whether an answer is one that the service documents, by its own OpenAPI page and its list of problems."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.chaos.findings import Findings
from tests.service import Answer, RunningService

PROBLEM = "application/problem+json"
BATCH_ITEM = ("post", "/v1/intents")  # an item of a batch is answered as if posted alone


class Documented:
    """What the running service says of itself, read once at the start."""

    def __init__(self, service: RunningService, findings: Findings) -> None:
        self._findings = findings
        paths = service.request("GET", "/openapi.json").json()["paths"]
        self._statuses: list[tuple[re.Pattern[str], dict[str, set[int]]]] = []
        # A path without variables goes before one that would fit as well.
        for path in sorted(paths, key=lambda path: path.count("{")):
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$")
            methods = {
                method: {int(status) for status in operation["responses"] if status.isdigit()}
                for method, operation in paths[path].items()
                if "responses" in operation
            }
            self._statuses.append((pattern, methods))

    def _allowed(self, method: str, path: str) -> set[int]:
        for pattern, methods in self._statuses:
            if pattern.match(path) and method.lower() in methods:
                return methods[method.lower()] - {500}
        return set()

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Notes a violation unless the status is documented, and an error a whole problem document."""
        path = path.partition("?")[0]
        if answer.status not in self._allowed(method, path):
            self._findings.violation(
                "undocumented answer", f"{method} {path} answered {answer.status}: {answer.body[:300]!r}"
            )
        elif answer.status >= 400:
            fault = problem_fault(answer)
            if fault:
                self._findings.violation(
                    "not a problem document",
                    f"{method} {path} {answer.status}: {fault}: {answer.body[:300]!r}",
                )

    def check_item(self, status: int, body: Any) -> None:
        """The same for one item of a batch."""
        if status not in self._allowed(*BATCH_ITEM):
            self._findings.violation("undocumented answer", f"an item of a batch is {status}: {body!r:.300}")


def problem_fault(answer: Answer) -> str | None:
    """What is wrong with a problem document, or None."""
    if answer.headers.get("content-type", "").partition(";")[0] != PROBLEM:
        return f"its media type is {answer.headers.get('content-type')}"
    try:
        document = json.loads(answer.body)
    except ValueError:
        return "it is no JSON"
    missing = {"type", "title", "status", "detail", "code", "instance", "docs"} - set(document)
    if missing:
        return f"it lacks {sorted(missing)}"
    if document["status"] != answer.status:
        return f"its status says {document['status']}"
    if answer.status in (429, 503) and ("retry_after" not in document or "retry-after" not in answer.headers):
        return "it does not say when to come back"
    return None
