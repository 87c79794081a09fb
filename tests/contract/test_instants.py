"""Instants at the ends of the calendar: what Postgres would take for infinity is nobody's expiry."""

from __future__ import annotations

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call
from tests.contract.problem import check_problem
from tests.contract.streams import imported

END, BEYOND = (
    "9999-12-31T23:59:59Z",
    ("9999-12-31T23:59:59.999999Z", "1899-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
)
CONSENT = {"kind": "express_written", "channels": ["call"], "evidence": "a form"}


@pytest.mark.parametrize("instant", BEYOND)
def test_an_instant_that_no_store_can_hold_is_refused_wherever_it_stands(
    dialler: Dialler, instant: str
) -> None:
    number, base_url = dialler.open_number(), dialler.service.base_url
    for answer in (
        dialler.post("/v1/suppressions", {"number": number, "expires_at": instant}),
        dialler.put(f"/v1/suppressions/{number}", {"expires_at": instant}),
        dialler.put(f"/v1/consents/{number}", {**CONSENT, "given_at": instant}),
        dialler.put(
            f"/v1/consents/{number}", {**CONSENT, "given_at": "2026-01-01T00:00:00Z", "expires_at": instant}
        ),
        dialler.post("/v1/api-keys", {"name": "of a test", "scopes": ["admin"], "expires_at": instant}),
    ):
        assert instant.startswith("9999") or answer.status == 422
        check_problem(answer, "validation-error", base_url)
    for path in (
        f"/v1/suppressions?created_after={instant}",
        f"/v1/intents?since={instant}",
        f"/v1/calling-windows/{number}?at={instant}",
    ):
        check_problem(dialler.get(path), "bad-request", base_url)
    for column in ("expires_at", "opted_out_at"):
        job = imported(dialler, f"number,{column}\n{number},{instant}\n".encode())
        assert (job["status"], job["rejected"]) == ("failed", 1)
    assert dialler.call(to=number).status == 201
    assert dialler.get("/v1/suppressions").json()["items"] == []


def test_the_last_second_of_the_calendar_is_an_end_like_any_other(dialler: Dialler) -> None:
    number = dialler.open_number()
    assert dialler.post("/v1/suppressions", {"number": number, "expires_at": END}).status == 201
    assert dialler.get(f"/v1/suppressions/{number}").json()["entries"][0]["expires_at"] == END
    check_problem(dialler.post("/v1/intents", call(number)), "dnc-blocked", dialler.service.base_url)
    looked_up = dialler.post("/v1/suppressions/lookup", {"numbers": [number]}).json()
    assert looked_up["items"][0]["suppressed"] is True
    for path in (
        "/v1/suppressions/export",
        f"/v1/suppressions/{number}/history",
        f"/v1/calling-windows/{number}",
    ):
        assert dialler.get(path).status == 200


@pytest.mark.parametrize(
    "identifier", ["ffffffff-ffff-7fff-bfff-ffffffffffff", "e677d220-0000-7000-8000-000000000000"]
)
def test_an_id_from_beyond_the_calendar_is_not_found(dialler: Dialler, identifier: str) -> None:
    check_problem(dialler.get(f"/v1/intents/{identifier}"), "not-found", dialler.service.base_url)


def test_decisions_of_a_batch_are_listed_by_when_they_were_made(dialler: Dialler) -> None:
    began = utc_now()
    bodies = [call(dialler.open_number(), campaign=f"item {place}") for place in range(40)]
    assert dialler.post("/v1/intents/batch", {"intents": bodies}).status == 200
    listed = dialler.get("/v1/intents?limit=100").json()["items"]
    assert [item["campaign"] for item in listed] == [body["campaign"] for body in reversed(bodies)]
    for item in listed:
        same = f"campaign={item['campaign'].replace(' ', '%20')}"
        assert len(dialler.get(f"/v1/intents?{same}&since={item['decided_at']}").json()["items"]) == 1
    assert dialler.get(f"/v1/intents?until={began:%Y-%m-%dT%H:%M:%SZ}").json()["items"] == []
