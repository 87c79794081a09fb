"""The description names the Idempotency-Key where it is taken, and nowhere else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.platform.http.openapi.operations import REQUESTS
from tests.contract.dialler import Dialler
from tests.service import RunningService

REGISTRY = "keys-described"
# They make secrets: a key that is well written is refused there (test_idempotency.py, tests/events).
REFUSING = {"createApiKey", "createAccount", "postRotate"}
BROKEN = {"Idempotency-Key": '"no end'}
# What is sent to those of which the description has no better sample.
BODIES: dict[str, Any] = {"postOutcome": {"result": "answered"}}


@pytest.fixture(scope="module")
def described(shared_gate: RunningService) -> Any:
    return shared_gate.request("GET", "/openapi.json").json()["paths"]


def takes_a_key(dialler: Dialler, path: str, operation: dict[str, Any]) -> bool:
    """Whether a key that cannot be one is what is wrong with the request."""
    for name, value in {
        "intent_id": uuid.uuid4(), "lease_id": uuid.uuid4(), "job_id": uuid.uuid4(), "name": REGISTRY,
        "carrier": "twilio",
    }.items():  # fmt: skip
        path = path.replace(f"{{{name}}}", str(value))
    content = operation.get("requestBody", {}).get("content", {})
    body: object = b"number\n+14155550100\n"
    headers = {**BROKEN, "Content-Type": "text/csv"}
    if "application/json" in content:
        sample = content["application/json"].get("example")
        name = operation["operationId"]
        body, headers = BODIES.get(name) or REQUESTS.get(name) or sample, dict(BROKEN)
    if path.endswith(("/versions", "/changes")):
        path += "?version_date=2026-11-20"
    answer = dialler.post(path, body, headers=headers)
    if answer.status not in (400, 422):
        return False
    reasons = [f"{each['field']} {each['reason']}" for each in answer.json().get("errors", ())]
    return any(each.startswith("Idempotency-Key must") for each in reasons)


def test_every_post_that_takes_a_key_says_so(operator: Dialler, described: Any) -> None:
    named, taken = set(), set()
    assert operator.put(f"/v1/registries/{REGISTRY}", {"kind": "custom"}).status == 201
    for path, item in described.items():
        operation = item.get("post")
        if operation is None:
            continue
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ())):
            named.add(operation["operationId"])
        if takes_a_key(operator, path, operation):
            taken.add(operation["operationId"])
    assert operator.delete(f"/v1/registries/{REGISTRY}").status == 204
    assert {"createIntent", "postOutcome", "importSuppressions", "postImport"} <= taken
    assert named == taken - REFUSING
