"""The Idempotency-Key: the first answer again, and never a second channel (contract, 1)."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.dialler import Dialler, call, new_account, sms
from tests.contract.problem import check_problem
from tests.service import Answer, RunningService

CA = "+14155551234"


def keyed(dialler: Dialler, body: object, key: str, path: str = "/v1/intents") -> Answer:
    """The POST under an Idempotency-Key."""
    return dialler.post(path, body, headers={"Idempotency-Key": key})


def test_the_same_request_gets_the_first_answer_and_no_second_channel(dialler: Dialler) -> None:
    body = call(dialler.open_number())
    first = keyed(dialler, body, '"order-7"')
    assert first.status == 201
    assert "idempotent-replayed" not in first.headers
    # Quoted and bare are the same key.
    for spelling in ('"order-7"', "order-7", '  "order-7" '):
        again = keyed(dialler, body, spelling)
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
        assert again.headers["content-type"] == first.headers["content-type"]
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1
    assert len(dialler.get("/v1/intents").json()["items"]) == 1


def test_another_body_under_the_key_is_422_and_takes_nothing(dialler: Dialler) -> None:
    number = dialler.open_number()
    assert keyed(dialler, call(number), "k").status == 201
    for other in (call(number, max_duration=60), sms(number)):
        problem = check_problem(keyed(dialler, other, "k"), "validation-error", dialler.service.base_url)
        assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1


def test_a_key_belongs_to_an_account_and_an_operation(gate: RunningService, dialler: Dialler) -> None:
    body = call(dialler.open_number())
    first = keyed(dialler, body, "k").json()
    other = new_account(gate)
    theirs = keyed(other, body, "k")
    assert theirs.status == 201
    assert theirs.json()["id"] != first["id"]
    batch = keyed(dialler, {"intents": [body]}, "k", "/v1/intents/batch")
    assert batch.status == 200
    entry = keyed(dialler, {"number": CA}, "k", "/v1/suppressions")
    assert entry.status == 201
    # Another key of the same account replays all the same.
    sibling = dialler.with_key("intents:write")
    assert keyed(sibling, body, "k").json()["id"] == first["id"]


def test_a_refusal_is_kept_but_a_429_is_not(dialler: Dialler) -> None:
    number, other = dialler.open_number(), dialler.open_number()
    dialler.post("/v1/suppressions", {"number": number})
    refused = keyed(dialler, call(number), "refused")
    check_problem(refused, "dnc-blocked", dialler.service.base_url)
    dialler.delete(f"/v1/suppressions/{number}")
    again = keyed(dialler, call(number), "refused")
    assert (again.status, again.body) == (403, refused.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == "application/problem+json"
    dialler.pool("trunk", 0)
    full = keyed(dialler, call(other, pool="trunk"), "full")
    check_problem(full, "channel-budget-exceeded", dialler.service.base_url)
    dialler.pool("trunk", 1)
    later = keyed(dialler, call(other, pool="trunk"), "full")
    assert later.status == 201, later.body
    assert "idempotent-replayed" not in later.headers


def test_a_request_that_could_not_be_read_does_not_use_the_key_up(dialler: Dialler) -> None:
    body = call(dialler.open_number())
    check_problem(keyed(dialler, body | {"to": 5}, "k"), "bad-request", dialler.service.base_url)
    check_problem(
        keyed(dialler, body | {"pool": "absent"}, "k"), "validation-error", dialler.service.base_url
    )
    answer = keyed(dialler, body, "k")
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("key", ['"', '""', "a b", '"a', 'a"b"', "x" * 256, '"\\x"', "a,b", '"a\tb"', " "])
def test_a_key_that_is_neither_a_string_nor_a_token_is_400(dialler: Dialler, key: str) -> None:
    problem = check_problem(keyed(dialler, call(CA), key), "bad-request", dialler.service.base_url)
    assert problem["errors"][0]["field"] == "Idempotency-Key"


def test_of_many_at_once_one_goes_on_and_the_rest_wait_or_replay(dialler: Dialler) -> None:
    body = call(dialler.open_number())
    start = threading.Barrier(16)

    def shoot(_: int) -> Answer:
        start.wait()
        return keyed(dialler, body, "race")

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(shoot, range(16)))
    assert {answer.status for answer in answers} <= {201, 409}
    fresh = [a for a in answers if a.status == 201 and "idempotent-replayed" not in a.headers]
    assert len(fresh) == 1
    assert {a.body for a in answers if a.status == 201} == {fresh[0].body}
    for answer in answers:
        if answer.status == 409:
            check_problem(answer, "conflict", dialler.service.base_url)
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1


def test_a_batch_is_replayed_whole(dialler: Dialler) -> None:
    number = dialler.open_number()
    body = {"intents": [call(number), call("nonsense"), sms(number)]}
    first = keyed(dialler, body, "batch", "/v1/intents/batch")
    assert [result["status"] for result in first.json()["results"]] == [201, 400, 201]
    again = keyed(dialler, body, "batch", "/v1/intents/batch")
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert dialler.get("/v1/pools/default").json()["in_use"] == 1


def test_a_suppression_is_replayed_and_a_conflict_too(dialler: Dialler) -> None:
    body = {"number": CA, "reason": "asked"}
    first = keyed(dialler, body, "s", "/v1/suppressions")
    assert first.status == 201
    again = keyed(dialler, body, "s", "/v1/suppressions")
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    conflict = keyed(dialler, body, "t", "/v1/suppressions")
    check_problem(conflict, "conflict", dialler.service.base_url)
    assert keyed(dialler, body, "t", "/v1/suppressions").body == conflict.body
    problem = check_problem(
        keyed(dialler, {"number": "+14155550000"}, "s", "/v1/suppressions"),
        "validation-error",
        dialler.service.base_url,
    )
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert len(dialler.get(f"/v1/suppressions/{CA}/history").json()["items"]) == 1


def test_where_keys_are_made_it_is_refused_rather_than_ignored(dialler: Dialler) -> None:
    made = keyed(dialler, {"name": "x", "scopes": ["intents:read"]}, "k", "/v1/api-keys")
    check_problem(made, "validation-error", dialler.service.base_url)
    assert json.loads(dialler.get("/v1/api-keys").body)["items"][1:] == []


def test_a_replay_takes_the_scopes_that_the_request_takes(gate: RunningService) -> None:
    operator = Dialler(gate, gate.key)
    emergency = call(operator.open_number(), purpose="emergency")
    batch = {"intents": [emergency]}
    assert keyed(operator, emergency, "replayed-scopes").status == 201
    assert keyed(operator, batch, "replayed-scopes", "/v1/intents/batch").status == 200
    for scope in ("pools:read", "intents:write"):
        narrow = operator.with_key(scope)
        for body, path in ((emergency, "/v1/intents"), (batch, "/v1/intents/batch")):
            refused = keyed(narrow, body, "replayed-scopes", path)
            check_problem(refused, "forbidden", gate.base_url)
            # Nor is it told that the key is known.
            other = keyed(operator.with_key("pools:read"), {**body, "unheard": 1}, "replayed-scopes", path)
            assert other.status != 201
