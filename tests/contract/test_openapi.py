"""schemathesis against the running service: nothing undocumented, nothing that does not conform, no server error.

The pools of values are bounded so that the whole takes well under a minute and a half; `derandomize` makes the
same requests on every run.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from app.platform.http.problem_types import TYPES
from tests.contract.dialler import Dialler, new_account
from tests.contract.problem import TABLE
from tests.servers import Servers
from tests.service import RunningService

# On other servers the same answers are made of the same code; what differs is asked with few.
EXAMPLES = 8 if os.environ.get("CALLGATE_TEST_SERVERS") == "debian" else 10
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]


@pytest.fixture(scope="session")
def fuzzed(shared_gate: RunningService, servers: Servers) -> Dialler:
    """An account of its own, so that what the fuzzing makes is in nobody's way."""
    servers.mend()
    shared_gate.wait_for("/readyz", seconds=20)
    return new_account(shared_gate)


@pytest.fixture(scope="session")
def description(fuzzed: Dialler) -> Any:
    """The description as the service gives it."""
    return schemathesis.openapi.from_url(f"{fuzzed.service.base_url}/openapi.json")


def operations(description: Any) -> list[tuple[str, str]]:
    """Method and path of everything described."""
    return [
        (method, path)
        for path, item in sorted(description.raw_schema["paths"].items())
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    ]


def test_what_is_described_is_what_the_contract_names(description: Any) -> None:
    described = set(operations(description))
    assert {
        ("post", "/v1/intents"),
        ("get", "/v1/intents"),
        ("get", "/v1/intents/{intent_id}"),
        ("post", "/v1/intents/preview"),
        ("post", "/v1/intents/batch"),
        ("get", "/v1/pools"),
        ("get", "/v1/pools/{name}"),
        ("put", "/v1/pools/{name}"),
        ("delete", "/v1/pools/{name}"),
        ("post", "/v1/pools/{name}/reconcile"),
        ("get", "/v1/leases/{lease_id}"),
        ("post", "/v1/leases/{lease_id}/renew"),
        ("delete", "/v1/leases/{lease_id}"),
        ("post", "/v1/suppressions"),
        ("get", "/v1/suppressions"),
        ("get", "/v1/suppressions/{number}"),
        ("put", "/v1/suppressions/{number}"),
        ("delete", "/v1/suppressions/{number}"),
        ("get", "/v1/suppressions/{number}/history"),
        ("post", "/v1/api-keys"),
        ("get", "/v1/api-keys"),
        ("delete", "/v1/api-keys/{key_id}"),
        ("post", "/v1/accounts"),
        ("get", "/v1/accounts"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
        ("get", "/errors"),
        ("get", "/errors/{slug}"),
    } <= described


def test_every_answer_and_every_problem_is_declared(description: Any) -> None:
    schemas = description.raw_schema["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    assert set(schemas["ProblemDocument"]["properties"]["code"]["enum"]) == {kind.code for kind in TYPES}
    declared = set()
    for path, item in description.raw_schema["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            for status, response in operation["responses"].items():
                if status == "204":
                    assert "content" not in response, where
                    continue
                media_types = set(response["content"])
                if status >= "400":
                    assert media_types == {"application/problem+json"}, (where, status)
                    examples = response["content"]["application/problem+json"].get("examples", {})
                    assert examples, (where, status)
                    for slug, example in examples.items():
                        declared.add(slug)
                        assert str(TABLE[slug][0]) == status, (where, slug)
                        assert example["value"]["status"] == TABLE[slug][0]
                for media_type, content in response["content"].items():
                    if media_type.endswith("json"):
                        assert content["schema"], (where, status)
            if path.startswith("/v1"):
                assert operation["security"] == [{"key": []}], where
                expected = {"400", "401", "403", "422", "429", "500", "503"}
                assert expected <= set(operation["responses"]), where
            if set(operation.get("requestBody", {}).get("content", {})) == {"application/json"}:
                assert {"413", "415"} <= set(operation["responses"]), where
    # 404 and 405 of paths and methods that are not described cannot be described either.
    assert declared == set(TABLE) - {"method-not-allowed"}


@pytest.mark.timeout(240)
def test_every_operation_conforms(fuzzed: Dialler, description: Any, subtests: pytest.Subtests) -> None:
    for method, path in operations(description):
        with subtests.test(f"{method.upper()} {path}"):
            conform(fuzzed, description[path][method.upper()])


def conform(dialler: Dialler, operation: Any) -> None:
    """Made-up requests to one operation, and every check on each answer."""
    headers = {"Authorization": f"Bearer {dialler.key}"} if operation.path.startswith("/v1") else {}

    for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

        with contextlib.suppress(Unsatisfiable):  # an operation without parameters has no wrong ones
            ask()
