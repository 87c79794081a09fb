"""Wrong settings, rate limits, readiness and the pages around the API (contract, 1 and 10)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.service import CHECKOUT, RunningService


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("WORKERS", "0"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("REDIS_URL", "memcached://localhost"),
        ("BOOTSTRAP_KEY", "secret"),
        ("PROBLEM_TYPE_BASE", "errors"),
        ("DEFAULT_CHANNEL_CAPACITY", "-1"),
        ("RATE_LIMIT_CALLS", "6000"),
        ("RATE_LIMIT_SMS", "10/fortnight"),
        ("MAX_BODY_BYTES", "1MB"),
        ("DECISION_RETENTION_DAYS", "0"),
        ("LOG_FORMAT", "xml"),
        ("NO_SUCH_SETTING", "1"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_clear_line(name: str, value: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=CHECKOUT, env={"PATH": "/usr/bin:/bin", f"CALLGATE_{name}": value},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.strip().splitlines()
    assert f"CALLGATE_{name}" in line
    assert value not in line or name != "BOOTSTRAP_KEY", "a key does not belong in a log"


def test_rate_limits_are_per_key_and_class_and_say_how_much_is_left(
    start_dialler: Callable[..., Dialler],
) -> None:
    dialler = start_dialler(
        rate_limit_sms="5/minute", rate_limit_calls="7/hour", rate_limit_other="2/minute", workers=2
    )
    number = "+14155551234"
    numbers = [call(number), sms(number)]
    first = dialler.post("/v1/intents/preview", numbers[1])
    assert first.headers["ratelimit-policy"] == '"sms";q=5;w=60'
    left = re.fullmatch(r'"sms";r=4;t=(\d+)', first.headers["ratelimit"])
    assert left, first.headers["ratelimit"]
    for _ in range(4):
        assert dialler.post("/v1/intents/preview", numbers[1]).status == 200
    for path, body in (("/v1/intents/preview", numbers[1]), ("/v1/intents", numbers[1])):
        refused = dialler.post(path, body)
        problem = check_problem(refused, "rate-limited", dialler.service.base_url)
        assert problem["detail"].startswith("Rate limit exceeded. Try again in ")
        assert 1 <= problem["retry_after"] <= 62
        assert refused.headers["ratelimit-policy"] == '"sms";q=5;w=60'
        assert re.fullmatch(r'"sms";r=0;t=\d+', refused.headers["ratelimit"])
    # Another class, and another key, have their own.
    assert dialler.post("/v1/intents/preview", numbers[0]).status == 200
    assert dialler.with_key("intents:write").post("/v1/intents/preview", numbers[1]).status == 200
    assert dialler.get("/v1/policy").headers["ratelimit"].startswith('"other";r=0;t=')
    refused = dialler.get("/v1/policy")
    problem = check_problem(refused, "rate-limited", dialler.service.base_url)
    assert refused.headers["ratelimit-policy"] == '"other";q=2;w=60'
    assert re.fullmatch(r'"other";r=0;t=\d+', refused.headers["ratelimit"])
    # A 429 is not kept under the Idempotency-Key; and every item of a batch counts.
    kept = dialler.post("/v1/intents", sms(number), headers={"Idempotency-Key": "k"})
    check_problem(kept, "rate-limited", dialler.service.base_url)
    again = dialler.post("/v1/intents", sms(number), headers={"Idempotency-Key": "k"})
    check_problem(again, "rate-limited", dialler.service.base_url)
    assert "idempotent-replayed" not in again.headers
    batch = dialler.post("/v1/intents/batch", {"intents": [call(number, purpose="informational")] * 8})
    statuses = [result["status"] for result in batch.json()["results"]]
    assert statuses.count(429) >= 2, "seven an hour, of which one is used"


def test_the_service_says_how_it_is(gate: RunningService) -> None:
    assert gate.request("GET", "/livez").json() == {"status": "ok"}
    ready = gate.request("GET", "/readyz").json()
    assert ready["status"] == "ok"
    assert ready["checks"] == {"postgres": "ok", "redis": "ok", "clock": "ok"}
    metrics = gate.request("GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert b"callgate_" in metrics.body
    assert b"+1415" not in metrics.body
    docs = gate.request("GET", "/docs")
    assert (docs.status, docs.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/errors", "/docs"):
        assert gate.request("GET", path).headers["x-request-id"]
