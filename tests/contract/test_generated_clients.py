"""Clients that generators make of the description: every operation is there and works; no release breaks them."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.contract.dialler import Dialler
from tests.contract.openapi_diff import RELEASED, breaking, current
from tests.service import CHECKOUT

CONFIG = CHECKOUT / "examples" / "clients" / "openapi-python-client.json"
# Runs where the generator is installed, which wants another typer than we do.
DRIVE = """
import sys
from io import BytesIO
from client import AuthenticatedClient
from client.types import File
from client.models import CallBody, NewSuppressionBody, PoolBody, ProblemDocument, ApprovalDocument
from client.api.intents import create_intent, get_decision, list_decisions
from client.api.leases import release_lease, get_lease
from client.api.pools import put_pool, get_pool
from client.api.suppressions import create_suppression, get_suppression, import_suppressions, list_suppressions
gate = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
assert put_pool.sync(client=gate, name="trunk", body=PoolBody(capacity=2)).capacity == 2
call = CallBody.from_dict({"type": "call", "to": "+14155550111", "from": "+12125550100", "purpose": "informational",
                           "pool": "trunk"})
first = create_intent.sync_detailed(client=gate, body=call, idempotency_key="one")
if isinstance(first.parsed, ApprovalDocument):
    again = create_intent.sync_detailed(client=gate, body=call, idempotency_key="one")
    assert (again.parsed.id, again.headers["idempotent-replayed"]) == (first.parsed.id, "true")
    assert get_pool.sync(client=gate, name="trunk").in_use == 1
    assert release_lease.sync_detailed(client=gate, lease_id=first.parsed.lease.id).status_code == 204
    assert get_decision.sync(client=gate, intent_id=first.parsed.id).to == "+14155550111"
else:
    assert first.parsed.code == "TCPA_BLOCKED", first.parsed  # whoever tests at night
    assert first.parsed.violations[0].guardrail == "calling_window"
number = "+14155550122"
assert create_suppression.sync(client=gate, body=NewSuppressionBody(number=number, reason="asked")).number == number
conflict = create_suppression.sync(client=gate, body=NewSuppressionBody(number=number))
assert (conflict.code, conflict.existing.reason) == ("CONFLICT", "asked"), conflict
call = CallBody.from_dict({"type": "call", "to": number, "from": "+12125550100"})
refused = create_intent.sync(client=gate, body=call)
assert isinstance(refused, ProblemDocument) and refused.violations[0].list_ == "account", refused
assert [entry.number for entry in list_suppressions.sync(client=gate).items] == [number]
assert get_suppression.sync(client=gate, number=number).entries[0].created_at.tzinfo is not None
job = import_suppressions.sync_detailed(client=gate, body=File(payload=BytesIO(b"number\\n+14155550133\\n")))
assert job.status_code == 202, job
assert list_decisions.sync(client=gate, limit=1).items[0].verdict == "blocked"
print("driven")
"""


def operation_ids(description: dict[str, Any]) -> list[str]:
    """The names of all operations."""
    return [operation["operationId"] for item in description["paths"].values() for operation in item.values()]


def test_every_operation_has_a_name_a_scope_and_samples_that_fit() -> None:
    description = current()
    names = operation_ids(description)
    assert len(set(names)) == len(names)
    assert {"createIntent", "releaseLease", "createSuppression", "putPolicy"} <= set(names)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", name) for name in names), names
    for path, item in description["paths"].items():
        for operation in item.values():
            for content in [
                operation.get("requestBody", {}),
                *(r for s, r in operation["responses"].items() if s < "4"),
            ]:
                told = content.get("content", {}).get("application/json")
                if told is None or not told.get("schema"):
                    continue
                schema = {**told["schema"], "components": description["components"]}
                validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
                faults = [str(fault.message) for fault in validator.iter_errors(told["example"])]
                assert not faults, (operation["operationId"], faults)
            for status, response in operation["responses"].items():
                assert "X-Request-Id" in response["headers"], (path, status)
    writes = description["paths"]["/v1/intents"]["post"]
    assert writes["x-required-scope"] == "intents:write"
    assert "Idempotency-Key" in {each["name"] for each in writes["parameters"]}
    assert (
        writes["requestBody"]["content"]["application/json"]["schema"]["discriminator"]["propertyName"]
        == "type"
    )


def test_nothing_that_was_released_breaks() -> None:
    assert breaking(json.loads(RELEASED.read_text(encoding="utf-8")), current()) == []


def test_what_breaks_a_client_is_noticed() -> None:
    before = current()
    after = copy.deepcopy(before)
    schemas = after["components"]["schemas"]
    del after["paths"]["/v1/pools"]
    del schemas["LeaseDocument"]["properties"]["capacity"]
    schemas["PoolBody"]["required"].append("burst")
    schemas["EntryDocument"]["properties"]["reason"] = {"type": "integer"}
    after["paths"]["/v1/policy"]["get"]["operationId"] = "readPolicy"
    assert breaking(before, after) == [
        "EntryDocument.reason: was string and is integer",
        "GET /v1/policy: the operation getPolicy is called readPolicy",
        "GET /v1/pools is gone",
        "LeaseDocument: the member capacity is gone",
        "PoolBody: the member burst is required now",
    ]
    assert breaking(before, before) == []


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has openapi-python-client, in an environment of its own."""
    place = tmp_path_factory.mktemp("generator")
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    python = place / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "openapi-python-client==0.29.1"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    if done.returncode != 0:
        pytest.skip(f"openapi-python-client cannot be installed: {done.stderr[-200:]}")
    return python


@pytest.mark.timeout(400)
def test_a_python_client_has_every_operation_and_works(
    generator: Path, dialler: Dialler, tmp_path: Path
) -> None:
    description = dialler.get("/openapi.json").json()
    assert description["servers"] == [{"url": dialler.service.base_url}]
    (tmp_path / "openapi.json").write_text(json.dumps(description))
    made = subprocess.run(
        [
            generator, "-m", "openapi_python_client", "generate", "--path", tmp_path / "openapi.json",
            "--output-path", tmp_path / "client", "--meta", "none", "--config", CONFIG, "--fail-on-warning",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    assert "WARNING" not in made.stdout.upper(), made.stdout
    modules = {file.stem for file in (tmp_path / "client" / "api").glob("*/*.py")} - {"__init__"}
    wanted = {re.sub("([A-Z])", r"_\1", name).lower() for name in operation_ids(description)}
    assert modules == wanted
    driven = subprocess.run(
        [generator, "-W", "error", "-c", DRIVE, dialler.service.base_url, dialler.key],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert driven.stdout == "driven\n", driven.stderr


@pytest.mark.timeout(400)
def test_typescript_types_compile(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not here")
    got = subprocess.run(
        [npm, "install", "--no-save", "--silent", "openapi-typescript@7", "typescript@5"],
        cwd=tmp_path, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    if got.returncode != 0:
        pytest.skip(f"openapi-typescript cannot be installed: {got.stderr[-200:]}")
    (tmp_path / "openapi.json").write_text(json.dumps(current()))
    for command in (
        ["openapi-typescript", "openapi.json", "-o", "schema.ts"],
        ["tsc", "--noEmit", "--strict", "schema.ts"],
    ):
        ran = subprocess.run(
            [tmp_path / "node_modules" / ".bin" / command[0], *command[1:]],
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
