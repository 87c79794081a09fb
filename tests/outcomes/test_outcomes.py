"""How calls ended: told over HTTP, counted exactly, and what follows at once."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, new_account, sms
from tests.policy.account import reasons
from tests.servers import Servers, run_apart
from tests.service import Answer, RunningService

TOLD = int(os.environ.get("CALLGATE_TEST_OUTCOMES", "400"))


def tell(dialler: Dialler, intent_id: str, result: str, **more: Any) -> Answer:
    headers = more.pop("headers", None)
    return dialler.post(f"/v1/intents/{intent_id}/outcome", {"result": result, **more}, headers=headers)


def told(dialler: Dialler, intent_id: str, result: str, **more: Any) -> dict[str, Any]:
    answer = tell(dialler, intent_id, result, **more)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json()
    return document


def told_at_last(dialler: Dialler, intent_id: str, result: str) -> None:
    """As a caller tells it who comes back when it is answered 503: telling again does no harm."""
    for _ in range(20):
        answer = tell(dialler, intent_id, result)
        if answer.status != 503:
            break
        time.sleep(float(answer.headers["retry-after"]))
    assert answer.status == 200, answer.body


def figures(dialler: Dialler, campaign: str) -> dict[str, Any]:
    page = dialler.get(f"/v1/outcomes?campaign={campaign}&period=P30D").json()
    (item,) = page["items"]
    found: dict[str, Any] = item
    return found


def in_use(dialler: Dialler) -> int:
    return int(dialler.get("/v1/pools/default").json()["in_use"])


def test_an_outcome_gives_the_channel_back_once_and_counts_once(dialler: Dialler) -> None:
    one, other = (dialler.approved(campaign="spring")["id"] for _ in range(2))
    assert in_use(dialler) == 2
    first = told(dialler, one, "answered", ring_seconds=12.5, talk_seconds=90)
    assert (first["result"], first["campaign"], first["corrected_at"]) == ("answered", "spring", None)
    assert in_use(dialler) == 1
    assert dialler.get(f"/v1/leases/{one}").json()["state"] == "released"
    assert told(dialler, one, "answered", ring_seconds=12.5, talk_seconds=90) == first
    assert dialler.delete(f"/v1/leases/{one}").status == 204
    assert in_use(dialler) == 1, "told twice, the second gave another call's channel back"
    events = dialler.get("/v1/pools/default/events").json()["items"]
    assert [event["lease_id"] for event in events if event["event"] == "released"] == [one]
    told(dialler, other, "abandoned")
    assert figures(dialler, "spring") == {
        "campaign": "spring",
        "outcomes": 2,
        "answered_by_person": 2,
        "answered_by_machine": 0,
        "abandoned": 1,
        "unanswered": 0,
        "results": {"answered": 1, "abandoned": 1},
        "abandonment_rate": 0.5,
    }


def test_a_correction_takes_the_place_of_what_was_told_before(dialler: Dialler) -> None:
    one = dialler.approved(campaign="spring")["id"]
    told(dialler, one, "abandoned")
    corrected = told(dialler, one, "machine")
    assert (corrected["result"], corrected["corrected_at"] is not None) == ("machine", True)
    found = figures(dialler, "spring")
    assert (found["results"], found["abandonment_rate"]) == ({"machine": 1}, None)


def test_an_idempotency_key_replays_the_first_answer(dialler: Dialler) -> None:
    one = dialler.approved()["id"]
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    first = tell(dialler, one, "busy", headers=key)
    again = tell(dialler, one, "busy", headers=key)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    assert tell(dialler, one, "failed", headers=key).status == 422


def test_only_the_account_s_own_approved_intents_have_outcomes(dialler: Dialler) -> None:
    one = dialler.approved()["id"]
    stranger = new_account(dialler.service)
    stranger = Dialler(dialler.service, dialler.with_key("intents:read").key)
    assert tell(stranger, one, "busy").status == 403
    for unknown in (str(uuid.uuid4()), "none"):
        assert tell(dialler, unknown, "busy").status == 404
    number = dialler.open_number()
    dialler.post("/v1/suppressions", {"number": number})
    refused = dialler.call(to=number).json()["intent_id"]
    assert tell(dialler, refused, "busy").status == 409


def test_another_account_s_intent_is_not_found(dialler: Dialler, operator: Dialler) -> None:
    one = dialler.approved()["id"]
    assert tell(operator, one, "abandoned").status == 404
    assert dialler.get(f"/v1/leases/{one}").json()["state"] == "held"


def test_a_text_is_delivered_and_a_call_is_answered(dialler: Dialler) -> None:
    text = dialler.post("/v1/intents", sms(dialler.open_number(), campaign="texts"))
    assert text.status == 201, text.body
    text_id = text.json()["id"]
    assert set(reasons(tell(dialler, text_id, "answered"), 422)) == {"result"}
    assert set(reasons(tell(dialler, text_id, "delivered", ring_seconds=1), 422)) == {"ring_seconds"}
    told(dialler, text_id, "delivered")
    assert set(reasons(tell(dialler, dialler.approved()["id"], "delivered"), 422)) == {"result"}
    found = figures(dialler, "texts")
    assert (found["results"], found["abandonment_rate"]) == ({"delivered": 1}, None)
    body = {"result": "answered", "talk_seconds": -1, "more": 1}
    answer = dialler.post(f"/v1/intents/{text_id}/outcome", body)
    assert set(reasons(answer, 422)) == {"talk_seconds", "more"}
    assert tell(dialler, text_id, "lost").status == 422


def test_who_asked_not_to_be_called_is_suppressed_before_the_answer(dialler: Dialler) -> None:
    number = dialler.open_number()
    given = {
        "kind": "express_written", "channels": ["call", "sms"], "given_at": "2026-01-05T12:00:00Z", "evidence": "form",
    }  # fmt: skip
    assert dialler.put(f"/v1/consents/{number}", given).status == 201
    one = dialler.approved(to=number)["id"]
    told(dialler, one, "answered", asked_not_to_be_called=True)
    assert "DNC_BLOCKED" in [each["code"] for each in dialler.call(to=number).json()["violations"]]
    assert dialler.get(f"/v1/consents/{number}").status == 404
    (entry,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
    assert (entry["channel"], entry["source"], entry["opted_out_at"] is not None) == ("all", "opt_out", True)
    # A correction does not take a person's wish back, and a second telling makes no second one.
    assert told(dialler, one, "abandoned")["asked_not_to_be_called"] is True
    told(dialler, one, "abandoned", asked_not_to_be_called=True)
    history = dialler.get(f"/v1/suppressions/{number}/history").json()["items"]
    assert [event["action"] for event in history] == ["added"]
    assert dialler.delete(f"/v1/suppressions/{number}").status in (403, 409, 204)
    assert dialler.put(f"/v1/consents/{number}", given).status == 409


def test_told_again_later_than_a_day_conflicts(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    one = dialler.approved(campaign="spring")["id"]
    told(dialler, one, "answered")
    earlier = utc_now() - timedelta(days=1, seconds=5)
    run_apart(
        _execute(
            servers, gate_database, "UPDATE outcomes SET told_at = $1 WHERE intent_id = $2", earlier, one
        )
    )
    assert tell(dialler, one, "abandoned").status == 409
    assert figures(dialler, "spring")["results"] == {"answered": 1}


def test_a_wish_told_where_no_outcome_can_be_kept_is_kept(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    """Whoever dialled past a refusal, or hears late of a talk, has still heard the person: 409, and no call after."""
    refused_number, late_number = dialler.open_number(), dialler.open_number()
    refused = dialler.call(to=refused_number, pool=_full(dialler)).json()["intent_id"]
    late = dialler.approved(to=late_number)["id"]
    told(dialler, late, "answered")
    earlier = utc_now() - timedelta(days=1, seconds=5)
    moved = "UPDATE outcomes SET told_at = $1 WHERE intent_id = $2"
    run_apart(_execute(servers, gate_database, moved, earlier, late))
    for number, intent_id in ((refused_number, refused), (late_number, late)):
        assert tell(dialler, intent_id, "answered").status == 409
        assert dialler.get(f"/v1/suppressions/{number}").status == 404
        key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        for _ in range(2):
            answer = tell(dialler, intent_id, "answered", asked_not_to_be_called=True, headers=key)
            assert (answer.status, "is kept" in answer.json()["detail"]) == (409, True)
            (entry,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
            assert (entry["channel"], entry["opted_out_at"] is not None) == ("all", True)
            assert intent_id in entry["reason"]
        assert "DNC_BLOCKED" in [each["code"] for each in dialler.call(to=number).json()["violations"]]


def test_a_wish_that_was_lifted_does_not_come_back_by_a_late_repetition(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    number = dialler.open_number()
    one = dialler.approved(to=number)["id"]
    told(dialler, one, "answered", asked_not_to_be_called=True)
    start = {"from": number, "to": "+12125550100", "body": "START"}
    assert dialler.post("/v1/inbound-messages", start).json()["action"] == "opt_in"
    earlier = utc_now() - timedelta(days=1, seconds=5)
    moved = "UPDATE outcomes SET told_at = $1 WHERE intent_id = $2"
    run_apart(_execute(servers, gate_database, moved, earlier, one))
    assert tell(dialler, one, "answered", asked_not_to_be_called=True).status == 409
    assert dialler.get(f"/v1/suppressions/{number}").status == 404


def _full(dialler: Dialler) -> str:
    """The name of a pool without a channel."""
    assert dialler.put("/v1/pools/full", {"capacity": 0}).status in (200, 201)
    return "full"


def test_campaigns_are_paged_by_name_and_those_without_one_are_one(dialler: Dialler) -> None:
    for campaign in (None, "b", "a"):
        told(dialler, dialler.approved(**({"campaign": campaign} if campaign else {}))["id"], "busy")
    page = dialler.get("/v1/outcomes?limit=2").json()
    assert [item["campaign"] for item in page["items"]] == [None, "a"]
    rest = dialler.get(f"/v1/outcomes?limit=2&cursor={page['next_cursor']}").json()
    assert ([item["campaign"] for item in rest["items"]], rest["next_cursor"]) == (["b"], None)
    assert figures(dialler, "")["unanswered"] == 1
    assert figures(dialler, "never")["outcomes"] == 0
    for wrong in ("P1M", "PT36H", "P0D", "P367D"):
        assert dialler.get(f"/v1/outcomes?period={wrong}").status == 400


def test_the_eleventh_abandoned_call_is_refused_until_the_period_has_moved_on(
    dialler: Dialler, servers: Servers, gate_database: str
) -> None:
    limit = {"max": 0.03, "period": "P30D", "action": "block"}
    assert dialler.put("/v1/policy", {"abandonment": limit}).status == 200
    assert dialler.get("/v1/policy").json()["abandonment"] == limit
    today = utc_now().date()
    add = "INSERT INTO outcome_days (account_id, campaign, day, answered, abandoned) VALUES ($1, 'spring', $2, $3, $4)"
    run_apart(_execute(servers, gate_database, add, dialler.account_id, today - timedelta(days=20), 289, 8))
    first, second, third = (dialler.approved(campaign="spring") for _ in range(3))
    (check,) = (each for each in third["checks"] if each["guardrail"] == "abandonment")
    assert (check["outcome"], check["warning"], check["abandoned"]) == ("pass", "near", 8)
    told(dialler, first["id"], "answered")
    told(dialler, second["id"], "abandoned")
    tenth = third["id"]
    told(dialler, tenth, "abandoned")  # 10 of 300
    refused = dialler.call(campaign="spring")
    assert refused.status == 403, refused.body
    problem = refused.json()
    assert (problem["code"], problem["title"]) == ("ABANDONMENT_EXCEEDED", "Abandonment Exceeded")
    (violation,) = problem["violations"]
    assert (violation["abandoned"], violation["answered_by_person"]) == (10, 300)
    assert (violation["rate"], violation["max"], problem["campaign"]) == (0.033333, 0.03, "spring")
    # Of what is left when the old days have gone, two of three were abandoned; the newest leave after thirty days.
    assert violation["next_allowed_at"] == f"{today + timedelta(days=30)}T00:00:00Z"
    assert dialler.call(campaign="autumn").status == 201, "another campaign is another rate"
    assert dialler.post("/v1/intents", sms(dialler.open_number(), campaign="spring")).status == 201
    told(dialler, tenth, "answered")
    assert dialler.call(campaign="spring").status == 201, "nine of 300 are within three percent"
    told(dialler, tenth, "abandoned")
    assert dialler.call(campaign="spring").status == 403
    move = "UPDATE outcome_days SET day = day - 30 WHERE account_id = $1 AND campaign = 'spring'"
    run_apart(_execute(servers, gate_database, move, dialler.account_id))
    assert dialler.call(campaign="spring").status == 201, "the window has moved on"


def test_reg_f_as_a_policy_of_two_caps(dialler: Dialler) -> None:
    """12 CFR 1006.14(b)(2)(i): 7 calls in 7 days about a debt, and none for 7 days after a talk about it."""
    caps = [
        {"max": 7, "period": "P7D", "counts": ["call"], "per": "subject"},
        {"max": 1, "period": "P7D", "counts": ["call"], "results": ["answered"], "per": "subject"},
    ]
    policy = dialler.put("/v1/policy", {"caps": caps})
    assert (policy.status, policy.json()["caps"]) == (200, caps)
    number = dialler.open_number()
    for _ in range(7):
        told(dialler, dialler.approved(to=number, subject="debt 1")["id"], "no_answer")
    eighth = dialler.call(to=number, subject="debt 1")
    (violation,) = eighth.json()["violations"]
    assert (violation["code"], violation["cap"], violation["subject"]) == (
        "FREQUENCY_CAPPED",
        "account:0",
        "debt 1",
    )
    talked = dialler.approved(to=number, subject="debt 2")
    assert dialler.get(f"/v1/intents/{talked['id']}").json()["subject"] == "debt 2"
    told(dialler, talked["id"], "answered", talk_seconds=60)
    after = dialler.call(to=number, subject="debt 2").json()
    (violation,) = after["violations"]
    assert (violation["cap"], violation["results"]) == ("account:1", ["answered"])
    assert dialler.call(to=number, subject="debt 3").status == 201
    told(dialler, talked["id"], "machine")
    assert dialler.call(to=number, subject="debt 2").status == 201, "nobody was talked to after all"


def test_at_once_no_more_than_the_cap_of_each_subject_pass(dialler: Dialler) -> None:
    cap = {"max": 3, "period": "P7D", "counts": ["call"], "per": "subject"}
    assert dialler.put("/v1/policy", {"caps": [cap]}).status == 200
    number = dialler.open_number()
    wanted = [f"debt {place % 4}" for place in range(40)]
    random.shuffle(wanted)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda about: dialler.call(to=number, subject=about), wanted))
    passed = [about for about, answer in zip(wanted, answers, strict=True) if answer.status == 201]
    assert sorted(passed) == sorted(["debt 0", "debt 1", "debt 2", "debt 3"] * 3)
    assert dialler.call(to=number).status == 403, "without a subject all of them count"


def test_twenty_threads_telling_outcomes_give_exact_rates(
    start_service: Callable[..., RunningService],
) -> None:
    """Told twice, corrected, and told again by two at once: what counts is the last of each intent."""
    fast = {f"rate_limit_{each}": "1000000/minute" for each in ("calls", "other")}
    dialler = new_account(start_service(workers=2, **fast))
    dialler.pool("default", capacity=TOLD)
    numbers = [dialler.open_number() for _ in range(20)]
    ids: list[str] = []
    while len(ids) < TOLD:
        intents = [
            call(numbers[place % len(numbers)], campaign="load", purpose="informational")
            for place in range(min(100, TOLD - len(ids)))
        ]
        results = dialler.post("/v1/intents/batch", {"intents": intents}).json()["results"]
        assert {each["status"] for each in results} == {201}, results[0]
        ids += [each["body"]["id"] for each in results]
    every = ["answered", "machine", "abandoned", "no_answer", "busy", "failed"]
    rng = random.Random(13)
    plan = [[rng.choice(every) for _ in range(rng.choice((1, 1, 2, 3)))] for _ in ids]

    def one(place: int) -> None:
        for result in plan[place]:
            told_at_last(dialler, ids[place], result)
            if place % 3 == 0:
                told_at_last(dialler, ids[place], result)

    def rival(place: int) -> None:
        told_at_last(dialler, ids[place], plan[place][-1])

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(len(ids))))
        list(pool.map(rival, [place % len(ids) for place in range(len(ids) * 2)]))
    last = [each[-1] for each in plan]
    found = figures(dialler, "load")
    assert found["results"] == {name: last.count(name) for name in every if name in last}
    assert found["outcomes"] == len(ids)
    by_person = last.count("answered") + last.count("abandoned")
    assert found["abandonment_rate"] == round(last.count("abandoned") / by_person, 6)
    assert in_use(dialler) == 0


async def _execute(servers: Servers, database: str, statement: str, *given: object) -> None:
    connection = await asyncpg.connect(
        host=str(servers.postgres.directory), user="callgate", database=database
    )
    try:
        await connection.execute(statement, *given)
    finally:
        await connection.close()


@pytest.mark.parametrize("scope", ["intents:read", "suppressions:write"])
def test_telling_needs_the_scope_of_who_dials(dialler: Dialler, scope: str) -> None:
    one = dialler.approved()["id"]
    refused = tell(dialler.with_key(scope), one, "busy")
    assert (refused.status, refused.json()["scope"]) == (403, "intents:write")
