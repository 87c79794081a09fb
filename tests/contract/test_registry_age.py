"""What a registry's age does: it binds nobody before it is loaded, and whom it binds, and nobody else, when too old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.contract.streams import ended, upload
from tests.servers import run_apart
from tests.service import RunningService

PATH = "/v1/registries/{}"
AUSTIN, FRANCISCO, TOLL_FREE = "+15125550100", "+14155550100", "+18005550100"


@pytest.fixture
def service(start_service: Callable[..., RunningService]) -> RunningService:
    """A service of the test's own, since every account asks the same registries."""
    return start_service()


@pytest.fixture
def operator(service: RunningService) -> Dialler:
    return Dialler(service, service.key)


def put(operator: Dialler, name: str, **fields: object) -> None:
    """A registry that binds marketing by call and text, unless the fields say otherwise."""
    body = {"kind": "state_dnc", "applies_to": ["call", "sms"], "purposes": ["marketing"], **fields}
    assert operator.put(PATH.format(name), body).status in (200, 201)


def load(operator: Dialler, name: str, days_old: int = 0, body: bytes = b"212,5559999\n") -> str:
    """A list of that age; answers its date."""
    dated = str(utc_now().date() - timedelta(days=days_old))
    path = f"{PATH.format(name)}/versions?version_date={dated}"
    answer = upload(operator, path, body, "text/plain")
    assert ended(operator, answer.headers["location"])["status"] == "succeeded"
    return dated


def preview(operator: Dialler, body: dict[str, object], **fields: object) -> Any:
    return operator.post("/v1/intents/preview", {**body, **fields})


def test_a_registry_that_was_never_loaded_binds_nobody_and_everything_says_so(
    operator: Dialler, service: RunningService
) -> None:
    put(operator, "never", kind="national_dnc", max_age_days=31)
    assert preview(operator, call(FRANCISCO)).status == 200
    approval = operator.approved()
    suppression = next(c for c in approval["checks"] if c["guardrail"] == "suppression")
    assert suppression["registries"] == [], "nobody can say that it was asked"
    document = operator.get(PATH.format("never")).json()
    assert (document["in_force"], document["stale"]) == (False, False)
    ready = service.request("GET", "/readyz").json()
    assert ready["status"] == "ok"
    assert ready["checks"]["registry never"] == "not in force"
    warning = "the registry never was never loaded: it is not in force and binds nobody"
    assert ready["warnings"] == [warning]
    assert warning in service.log
    metrics = service.request("GET", "/metrics").body.decode()
    assert 'callgate_registry_in_force{registry="never"} 0.0' in metrics
    assert 'callgate_registry_age_days{registry="never"}' not in metrics
    load(operator, "never")
    metrics = service.request("GET", "/metrics").body.decode()
    assert 'callgate_registry_in_force{registry="never"} 1.0' in metrics
    assert service.request("GET", "/readyz").json()["warnings"] == []


def test_one_of_texas_that_is_too_old_fails_closed_for_texas_and_nobody_else(
    operator: Dialler, service: RunningService
) -> None:
    put(operator, "texas", region="US-TX", applies_to=["call"], max_age_days=31)
    load(operator, "texas", 32)
    ready = service.request("GET", "/readyz")
    assert ready.status == 200, "it decides for everybody else"
    assert ready.json()["status"] == "degraded"
    assert ready.json()["checks"]["registry texas"] == "too old"
    for bound in (
        call(AUSTIN),
        call(FRANCISCO, recipient={"region": "US-TX"}),
        call(FRANCISCO, recipient={"postal_code": "73301"}),
        call(TOLL_FREE),  # nobody knows where that is
    ):
        answer = check_problem(preview(operator, bound), "service-unavailable", service.base_url)
        assert "texas" in answer["detail"]
    for free in (
        call(FRANCISCO),
        call("+442071234567"),
        sms(AUSTIN),
        call(AUSTIN, purpose="informational"),
        call(AUSTIN, purpose="emergency"),
    ):
        assert preview(operator, free).status == 200, free
    listed = upload(operator, "/v1/scrub", f"number\n{FRANCISCO}\n".encode(), "text/csv")
    assert listed.status == 200
    listed = upload(operator, "/v1/scrub", f"number\n{FRANCISCO}\n{AUSTIN}\n".encode(), "text/csv")
    check_problem(listed, "service-unavailable", service.base_url)


def test_one_of_a_country_that_is_too_old_fails_closed_for_that_country(
    operator: Dialler, service: RunningService
) -> None:
    put(operator, "federal", kind="national_dnc", region="US", max_age_days=31)
    load(operator, "federal", 32)
    for bound in (call(AUSTIN), call("+17875550100"), call(TOLL_FREE)):
        check_problem(preview(operator, bound), "service-unavailable", service.base_url)
    for free in (call("+14165550100"), call("+442071234567")):
        assert preview(operator, free).status == 200, free


@pytest.mark.parametrize("region", ["US-ZZ", "us-tx", "PR", "Texas"])
def test_one_of_a_region_that_nobody_knows_fails_closed_for_everybody(
    operator: Dialler, service: RunningService, database_url: str, region: str
) -> None:
    """Such rows are of releases that did not look at a registry's region."""
    put(operator, "odd", region="US-TX", applies_to=["call"], max_age_days=31)
    load(operator, "odd", 32)

    async def misname() -> None:
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        await connection.execute("UPDATE registries SET region = $1 WHERE name = 'odd'", region)
        await connection.close()

    run_apart(misname())
    for bound in (call(AUSTIN), call(FRANCISCO), call("+442071234567")):
        answer = check_problem(preview(operator, bound), "service-unavailable", service.base_url)
        assert "odd" in answer["detail"]
    assert preview(operator, sms(FRANCISCO)).status == 200, "it is about calls"
    assert preview(operator, call(FRANCISCO, purpose="informational")).status == 200


def test_a_decision_says_which_registries_were_asked_and_of_what_day(operator: Dialler) -> None:
    put(operator, "federal", kind="national_dnc", region="US")
    put(operator, "texas", region="US-TX", applies_to=["call"])
    put(operator, "house", kind="custom", purposes=["marketing", "informational"])
    put(operator, "empty", kind="custom")
    days = {
        name: load(operator, name, age, b"415,5550100\n" if name == "federal" else b"212,5559999\n")
        for name, age in (("federal", 3), ("texas", 20), ("house", 0))
    }

    def entry(name: str, kind: str, region: str | None) -> dict[str, object]:
        return {"registry": name, "kind": kind, "region": region, "version_date": days[name]}

    federal, texas, house = (
        entry("federal", "national_dnc", "US"),
        entry("texas", "state_dnc", "US-TX"),
        entry("house", "custom", None),
    )

    def recorded(intent_id: str) -> Any:
        decision = operator.get(f"/v1/intents/{intent_id}").json()
        return next(c for c in decision["checks"] if c["guardrail"] == "suppression")

    number = operator.open_number()
    approval = operator.approved(to=number)
    told = next(c for c in approval["checks"] if c["guardrail"] == "suppression")
    assert told == {"guardrail": "suppression", "outcome": "pass", "registries": [federal, house, texas]}
    assert recorded(approval["id"]) == told
    text = operator.post("/v1/intents", sms(number)).json()
    assert recorded(text["id"])["registries"] == [federal, house], "the one of Texas is about calls"
    calm = operator.approved(to=number, purpose="informational")
    assert recorded(calm["id"])["registries"] == [house]
    urgent = operator.approved(to=number, purpose="emergency")
    assert recorded(urgent["id"]) == {"guardrail": "suppression", "outcome": "skip", "reason": "emergency"}
    refused = check_problem(operator.call(to=FRANCISCO), "dnc-blocked", operator.service.base_url)
    assert recorded(refused["intent_id"])["registries"] == [federal, house, texas]
    # A newer list shows at once, and what was recorded stays as it was.
    days["federal"] = load(operator, "federal", 1)
    again = operator.approved(to=number)
    assert recorded(again["id"])["registries"][0]["version_date"] == days["federal"]
    assert recorded(approval["id"])["registries"][0] == federal
