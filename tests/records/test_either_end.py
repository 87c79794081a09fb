"""Every list whose order is time is walked from either end (contract, 1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.dialler import Dialler
from tests.contract.problem import check_problem


def walked(caller: Dialler, path: str, order: str, limit: int = 1) -> list[Any]:
    """The items of every page of one."""
    found: list[Any] = []
    cursor = ""
    while True:
        page = caller.get(f"{path}?limit={limit}{order and '&order='}{order}{cursor}")
        assert page.status == 200, page.body
        # When a key was last used is noted some time after its use, and so perhaps between two pages.
        found += [{k: v for k, v in item.items() if k != "last_used_at"} for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            return found
        cursor = f"&cursor={page.json()['next_cursor']}"


@pytest.fixture(scope="module")
def lived(shared_gate: Any) -> tuple[Dialler, Dialler, str]:
    """An account of which every list holds three, an operator, and the number that they are about."""
    from tests.contract.dialler import new_account

    operator = Dialler(shared_gate, shared_gate.key)
    dialler, number = new_account(shared_gate), "+14155550123"
    path = f"/v1/suppressions/{number}"
    assert dialler.put(path, {"reason": "first"}).status in (200, 201)
    assert dialler.put(path, {"reason": "second"}).status == 200
    assert dialler.delete(path).status == 204
    for each in ("+14155550124", "+14155550125", "+14155550126"):
        assert dialler.post("/v1/suppressions", {"number": each}).status == 201
    for kind in ("express", "purchase", "inquiry"):
        body = {"kind": kind, "channels": ["call"], "given_at": "2026-01-05T12:00:00Z", "evidence": "a form"}
        assert dialler.put(f"/v1/consents/{number}", body).status in (200, 201)
    dialler.pool("trunk")
    for _ in range(3):
        lease = dialler.approved(pool="trunk", purpose="informational")["lease"]["id"]
        assert dialler.delete(f"/v1/leases/{lease}").status == 204
    # afterwards: at some hours nobody may be called in a window as narrow as these
    for end in ("20:00", "19:00", "18:00"):
        assert dialler.put("/v1/policy", {"house_window": {"start": "09:00", "end": end}}).status == 200
    for name in ("one", "two", "three"):
        dialler.with_key("intents:read", name=name)
        headers = {"content-type": "text/csv"}
        taken = dialler.post("/v1/suppressions/imports", b"number\r\n+14155550127\r\n", headers=headers)
        assert taken.status == 202, taken.body
    return dialler, operator, number


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("/v1/suppressions", "asc"),
        ("/v1/suppressions/{number}/history", "asc"),
        ("/v1/suppressions/imports", "desc"),
        ("/v1/consents/{number}/history", "desc"),
        ("/v1/api-keys", "asc"),
        ("/v1/accounts", "asc"),
        ("/v1/policy/versions", "desc"),
        ("/v1/pools/trunk/events", "desc"),
        ("/v1/intents", "desc"),
    ],
)
def test_a_list_is_the_same_from_either_end(
    lived: tuple[Dialler, Dialler, str], path: str, default: str
) -> None:
    dialler, operator, number = lived
    caller = operator if path == "/v1/accounts" else dialler
    path = path.replace("{number}", number)
    onward = walked(caller, path, "asc")
    assert len(onward) >= (2 if path == "/v1/accounts" else 3)
    assert walked(caller, path, "desc") == onward[::-1]
    first = walked(caller, path, "", limit=500)
    assert first == (onward if default == "asc" else onward[::-1]), "what clients of yesterday got"
    check_problem(caller.get(f"{path}?order=up"), "bad-request", caller.service.base_url)
