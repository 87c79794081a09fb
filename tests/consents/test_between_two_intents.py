"""What happens to a consent between two intents is seen by the second, in every process; and how old one may be."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.instants import rfc3339
from tests.consents.test_gate import WRITTEN, load, put, recorded_voice, us_number
from tests.contract.dialler import CALLER_ID, Dialler, call, instant, new_account
from tests.servers import Servers
from tests.service import PATIENT, RunningService


@pytest.fixture(scope="module")
def replica(servers: Servers, shared_gate: RunningService, gate_database: str) -> Iterator[RunningService]:
    """A second process on the shared service's stores."""
    settings = {
        "database_url": servers.database_url(gate_database),
        "redis_url": servers.redis_url,
        "bootstrap_key": shared_gate.key,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running


@pytest.fixture
def both(gate: RunningService, replica: RunningService) -> tuple[Dialler, Dialler]:
    """An account of the test's own, in each of two processes."""
    one = new_account(gate)
    return one, one.on(replica)


def why_not(dialler: Dialler, number: str, **fields: object) -> str | None:
    """Why the consent of a call with a recorded voice does not count; None for an approval."""
    status, document = recorded_voice(dialler, number, **fields)
    if status == 201:
        return None
    (violation,) = document["violations"]
    assert violation["code"] == "CONSENT_REQUIRED"
    (considered,) = violation["considered"]
    reason: str = considered["reason"]
    return reason


def test_one_that_expires_is_over_in_every_process(both: tuple[Dialler, Dialler]) -> None:
    number = us_number(both[0])
    ends = utc_now() + timedelta(seconds=4)
    body = {**WRITTEN, "channels": ["call"], "expires_at": rfc3339(ends)}
    assert both[0].put(f"/v1/consents/{number}", body).status == 201
    assert [why_not(each, number) for each in both] == [None, None]
    time.sleep(max(0.0, (ends - utc_now()).total_seconds()) + 0.1)
    assert [why_not(each, number) for each in both] == ["expired", "expired"]


def test_one_for_another_channel_counts_for_that_channel_alone(both: tuple[Dialler, Dialler]) -> None:
    number = us_number(both[0])
    put(both[0], number)
    assert [why_not(each, number) for each in both] == [None, None]
    assert both[1].put(f"/v1/consents/{number}", {**WRITTEN, "channels": ["sms"]}).status == 200
    assert [why_not(each, number) for each in both] == ["other_channel", "other_channel"]


def test_one_presented_is_overtaken_by_an_opt_out_though_the_person_came_back(
    both: tuple[Dialler, Dialler],
) -> None:
    number = us_number(both[0])
    assert [why_not(each, number, consent=WRITTEN) for each in both] == [None, None]
    for sender, words in zip(both, ("STOP", "START"), strict=True):
        message = {"from": number, "to": CALLER_ID, "body": words}
        assert sender.post("/v1/inbound-messages", message).status == 200
    assert [why_not(each, number, consent=WRITTEN) for each in both] == ["overtaken", "overtaken"]
    anew = {**WRITTEN, "given_at": rfc3339(utc_now())}
    assert [why_not(each, number, consent=anew) for each in both] == [None, None]


@pytest.fixture
def registry(operator: Dialler) -> Iterator[Callable[..., Dialler]]:
    """Makes registries, and takes them away again."""
    made: list[str] = []

    def make(name: str, **body: object) -> Dialler:
        made.append(name)
        assert operator.put(f"/v1/registries/{name}", body).status == 201
        return operator

    yield make
    for name in made:
        operator.delete(f"/v1/registries/{name}")


def test_one_whose_number_was_reassigned_is_another_person_s_in_every_process(
    both: tuple[Dialler, Dialler], registry: Callable[..., Dialler]
) -> None:
    number, name = us_number(both[0]), f"reassigned-{uuid.uuid4().hex[:8]}"
    operator = registry(name, kind="reassigned")
    put(both[0], number, given_at="2026-05-01")
    assert [why_not(each, number) for each in both] == [None, None]
    assert load(operator, name, f"{number},2026-06-10\n")["status"] == "succeeded"
    assert [why_not(each, number) for each in both] == ["reassigned", "reassigned"]


# Of a number in that place on that list, a consent of that kind lifts the list for so many months; None for never.
AGES = [
    ("+12125550{:03d}", "national_dnc", None, "purchase", 18),
    ("+12125550{:03d}", "national_dnc", None, "inquiry", 3),
    ("+12125550{:03d}", "national_dnc", None, "express", None),
    ("+13175550{:03d}", "state_dnc", "US-IN", "purchase", None),
    ("+17135550{:03d}", "state_dnc", "US-TX", "purchase", 12),
    ("+17135550{:03d}", "state_dnc", "US-TX", "inquiry", 12),
]


@pytest.mark.parametrize(("pattern", "list_kind", "region", "kind", "months"), AGES)
def test_a_consent_lifts_a_list_for_as_long_as_the_law_says_and_no_longer(
    both: tuple[Dialler, Dialler],
    registry: Callable[..., Dialler],
    pattern: str,
    list_kind: str,
    region: str | None,
    kind: str,
    months: int | None,
) -> None:
    name = f"list-{uuid.uuid4().hex[:8]}"
    operator = registry(name, kind=list_kind, **({"region": region} if region else {}))
    number = pattern.format(uuid.uuid4().int % 1000)
    assert load(operator, name, f"{number}\n")["status"] == "succeeded"

    def blocked(days: int) -> list[bool]:
        body: dict[str, Any] = {
            "kind": kind,
            "channels": ["call"],
            "given_at": given(days),
            "evidence": "bill",
        }
        assert both[0].put(f"/v1/consents/{number}", body).status in (200, 201)
        found = []
        for each in both:
            preview = each.post("/v1/intents/preview", call(number)).json()
            found.append(any(v.get("registry") == name for v in preview["violations"]))
        return found

    if months is None:
        assert blocked(1) == [True, True]
        return
    assert blocked(months * 30 - 5) == [False, False]
    assert blocked(months * 31 + 5) == [True, True]


def given(days: int) -> str:
    """So many days ago, as a date."""
    return rfc3339(utc_now() - timedelta(days=days))[:10]


def test_a_date_is_taken_wherever_an_instant_is(dialler: Dialler, operator: Dialler) -> None:
    """CONTRACT section 1: its first moment in UTC."""
    day, ahead = "2026-01-05", (utc_now() + timedelta(days=3)).date().isoformat()
    first_moment = instant(f"{ahead}T00:00:00Z")
    number = "+14155550100"
    consent = {"kind": "express", "channels": ["call"], "given_at": day, "expires_at": ahead, "evidence": "x"}
    stored = dialler.put(f"/v1/consents/{number}", consent).json()
    assert (stored["given_at"], stored["expires_at"]) == (f"{day}T00:00:00Z", f"{ahead}T00:00:00Z")
    entry = dialler.post("/v1/suppressions", {"number": "+14155550101", "expires_at": ahead}).json()
    assert instant(entry["expires_at"]) == first_moment
    presented = {"kind": "express", "given_at": day, "evidence": "form"}
    preview = dialler.post("/v1/intents/preview", call(number, at=ahead, consent=presented))
    assert preview.status == 200, preview.body
    made = dialler.post("/v1/api-keys", {"name": "x", "scopes": ["intents:read"], "expires_at": ahead})
    assert instant(made.json()["expires_at"]) == first_moment
    lease = dialler.approved()["lease"]["id"]
    assert dialler.post(f"/v1/leases/{lease}/renew", {"expires_at": ahead}).status in (200, 422)
    region = operator.put("/v1/emergencies/US-LA", {"until": ahead, "reason": "storm"})
    try:
        assert instant(region.json()["until"]) == first_moment
    finally:
        operator.delete("/v1/emergencies/US-LA")
    for query in (
        f"/v1/intents?since={day}&until={ahead}", f"/v1/suppressions?created_after={day}",
        f"/v1/calling-windows/{number}?at={ahead}", f"/v1/consents?expiring_before={ahead}", f"/v1/law?at={ahead}",
    ):  # fmt: skip
        assert dialler.get(query).status == 200, query
    for wrong in ("2026-1-5", "2026-02-30", "05.01.2026", "20260105", "2026-01-05T", "tomorrow"):
        answer = dialler.put(f"/v1/consents/{number}", {**consent, "given_at": wrong})
        assert answer.status == 400, wrong
        assert "or a date" in answer.json()["errors"][0]["reason"]
