"""What a key is told of itself, and when keys were last used."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, instant, rfc3339
from tests.contract.problem import check_problem
from tests.contract.streams import until


def test_a_key_is_told_its_account_its_scopes_its_limits_and_its_expiry(dialler: Dialler) -> None:
    ends = rfc3339(utc_now() + timedelta(days=1))
    narrow = dialler.with_key("inbound:write", expires_at=ends)
    told = narrow.get("/v1/whoami").json()
    assert (told["key"]["id"], told["key"]["name"]) == (narrow.key_id, "of a test")
    assert (instant(told["key"]["expires_at"]), told["scopes"]) == (instant(ends), ["inbound:write"])
    assert told["account"]["id"] == dialler.account_id
    assert told["account"]["name"].startswith("account ")
    assert set(told["limits"]) == {"calls", "sms", "suppressions", "other"}
    assert all(each["limit"] > 0 and each["window_seconds"] > 0 for each in told["limits"].values())
    own = dialler.get("/v1/whoami").json()
    assert (own["scopes"], own["key"]["expires_at"]) == (["admin"], None)
    check_problem(dialler.service.request("GET", "/v1/whoami"), "unauthorized", dialler.service.base_url)


@pytest.mark.parametrize("path", ["/v1/intents", "/v1/intents/preview", "/v1/whoami"])
def test_keys_tell_when_they_were_last_used_to_the_hour(dialler: Dialler, path: str) -> None:
    other = dialler.with_key("intents:write")

    def last_used() -> str | None:
        keys = {key["id"]: key for key in dialler.get("/v1/api-keys").json()["items"]}
        found: str | None = keys[other.key_id]["last_used_at"]
        return found

    assert last_used() is None
    before = utc_now()
    answer = other.get(path) if path == "/v1/whoami" else other.post(path, call("+14155550100"))
    assert answer.status in (200, 201, 403), answer.body
    told = instant(until(last_used))
    assert (told.minute, told.second, told.microsecond) == (0, 0, 0)
    assert before - timedelta(hours=1) < told <= utc_now()
    assert dialler.delete(f"/v1/api-keys/{other.key_id}").status == 204
    assert last_used() is not None, "a revoked key tells it still"
