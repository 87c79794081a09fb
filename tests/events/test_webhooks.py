"""Webhooks: set, signed, told in order, tried again, given up, told again, and switched off."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.contract.dialler import Dialler, new_account
from tests.contract.streams import until
from tests.events.receiver import Receiver, first_of_each
from tests.service import CHECKOUT, RunningService

Hook = Callable[..., dict[str, Any]]


@pytest.fixture
def account(telling: RunningService) -> Dialler:
    """An account of this test's own on the service that may send to loopback."""
    return new_account(telling)


def suppress(dialler: Dialler, number: str) -> None:
    assert dialler.post("/v1/suppressions", {"number": number}).status == 201


def change(dialler: Dialler, number: str, times: int) -> None:
    """Add the number and remove it, again and again."""
    for _ in range(times):
        suppress(dialler, number)
        assert dialler.delete(f"/v1/suppressions/{number}").status == 204


def shown(dialler: Dialler, name: str = "crm") -> dict[str, Any]:
    answer = dialler.get(f"/v1/webhooks/{name}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def listed(dialler: Dialler, query: str = "", name: str = "crm") -> list[dict[str, Any]]:
    answer = dialler.get(f"/v1/webhooks/{name}/deliveries{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def metric(service: RunningService, name: str) -> float:
    found = re.search(rf"^{name} (\S+)", service.get("/metrics").body.decode(), re.MULTILINE)
    assert found, name
    return float(found[1])


def test_an_event_reaches_its_receiver_signed_and_is_the_one_that_can_be_read(
    account: Dialler, receiver: Receiver, hook: Hook
) -> None:
    suppress(account, "+14155550160")  # before there was a webhook
    made = hook(account, "suppression.added")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    before = metric(account.service, "callgate_events_delivered_total")
    suppress(account, "+14155550161")
    receiver.wait_for(lambda: len(receiver.taken) == 1)
    assert receiver.unverified == 0
    assert receiver.taken == [account.get("/v1/events?types=suppression.added").json()["items"][-1]]
    assert receiver.sent_headers[0]["webhook-id"] == receiver.taken[0]["id"]
    assert receiver.sent_headers[0]["content-type"] == "application/json"
    assert "authorization" not in receiver.sent_headers[0]
    until(lambda: [each["status"] for each in listed(account)] == ["delivered"])
    assert metric(account.service, "callgate_events_delivered_total") > before


def test_the_secret_is_shown_once_and_stands_in_no_answer_and_no_log(
    account: Dialler, receiver: Receiver, hook: Hook
) -> None:
    secret = hook(account, "suppression.added")["secret"]
    same = account.put("/v1/webhooks/crm", {"url": receiver.url, "events": ["suppression.removed"]})
    assert (same.status, "secret" in same.json()) == (200, False)
    answers = [account.get(path).body for path in ("/v1/webhooks", "/v1/webhooks/crm", "/v1/events")]
    assert all(secret[6:] not in answer.decode() for answer in answers)
    assert secret[6:] not in account.service.log
    assert shown(account)["events"] == ["suppression.removed"]


def test_a_secret_is_exchanged_while_both_sign(account: Dialler, receiver: Receiver, hook: Hook) -> None:
    old = hook(account, "suppression.added")["secret"]
    answer = account.post("/v1/webhooks/crm/rotate", {"overlap_seconds": 3600})
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    new = answer.json()["secret"]
    assert new != old
    assert answer.json()["previous_secret_until"] is not None
    receiver.secret = None
    assert account.post("/v1/webhooks/crm/test", None).json() == {
        "delivered": True,
        "answered": 204,
        "error": None,
    }
    assert receiver.seen[0]["type"] == "ping"
    receiver.secret = new
    suppress(account, "+14155550162")
    receiver.wait_for(lambda: len(receiver.taken) == 2)
    signatures = receiver.sent_headers[1]["webhook-signature"].split(" ")
    assert len(signatures) == 2
    assert receiver.unverified == 0
    receiver.secret = old
    suppress(account, "+14155550163")
    receiver.wait_for(lambda: len(receiver.taken) == 3)
    assert receiver.unverified == 0
    # And without an overlap the one before counts for nothing from then on.
    assert account.post("/v1/webhooks/crm/rotate", {"overlap_seconds": 0}).status == 200
    suppress(account, "+14155550164")
    receiver.wait_for(lambda: len(receiver.taken) == 4)
    assert receiver.unverified == 1
    assert " " not in receiver.sent_headers[3]["webhook-signature"]


def test_a_number_whose_event_fails_holds_up_no_other_and_keeps_its_order(
    account: Dialler, receiver: Receiver, hook: Hook
) -> None:
    hook(account, "suppression.added", "suppression.removed")
    bad, tries = "+14155550165", iter((500, 500, 500))
    receiver.answering = lambda event: next(tries, 204) if event["data"]["number"] == bad else 204
    failed = metric(account.service, "callgate_events_failed_total")
    change(account, bad, 2)
    change(account, "+14155550166", 2)
    receiver.wait_for(lambda: len(receiver.taken) == 8)
    for number in (bad, "+14155550166"):
        kinds = [each["type"] for each in receiver.taken if each["data"]["number"] == number]
        assert kinds == ["suppression.added", "suppression.removed"] * 2
    assert [each["data"]["number"] for each in receiver.taken[:4]] == ["+14155550166"] * 4
    done = until(
        lambda: (found := listed(account)) and all(d["status"] == "delivered" for d in found) and found
    )
    assert sorted(each["attempts"] for each in done) == [1] * 7 + [4]
    assert metric(account.service, "callgate_events_failed_total") == failed + 3


def test_a_receiver_that_was_away_loses_nothing_and_stops_nobody(
    account: Dialler, receiver: Receiver, hook: Hook
) -> None:
    hook(account, "suppression.added")
    other = Receiver()
    hook(account, "suppression.added", name="other", to=other)
    receiver.stop()
    numbers = [f"+141555501{n}" for n in range(50, 60)]
    for number in numbers:
        suppress(account, number)
    other.wait_for(lambda: len(other.taken) == 10)
    resting = until(lambda: (found := shown(account))["last_error"] and found)
    assert resting["last_error"] == "no connection"
    assert resting["backlog"] + resting["waiting"] == 10
    until(lambda: metric(account.service, "callgate_events_backlog") >= 1, seconds=20)
    receiver.start()
    receiver.wait_for(lambda: len(first_of_each(receiver.taken)) == 10, seconds=30)
    other.stop()
    assert {each["data"]["number"] for each in receiver.taken} == set(numbers)
    assert receiver.unverified == 0


async def test_what_is_tried_in_vain_for_three_days_is_dead_and_listed_and_told_again_when_asked(
    account: Dialler, receiver: Receiver, hook: Hook, module_database_url: str
) -> None:
    hook(account, "suppression.added", "suppression.removed")
    receiver.answering = lambda _: 422
    change(account, "+14155550167", 1)
    until(lambda: [each["attempts"] > 0 for each in listed(account, "?status=waiting")] == [False, True])
    engine = create_async_engine(module_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE webhook_deliveries SET until = now() WHERE status = 'waiting'"))
    dead = metric(account.service, "callgate_events_dead_total")
    gone = until(lambda: (found := listed(account, "?status=dead")) and len(found) == 2 and found)
    await engine.dispose()
    assert {each["last_error"] for each in gone} == {"answered 422"}
    assert shown(account)["dead"] == 2
    assert metric(account.service, "callgate_events_dead_total") == dead + 2
    receiver.answering = lambda _: 204
    one = {"event_id": gone[-1]["event_id"]}
    assert account.post("/v1/webhooks/crm/redeliver", one).json() == {"queued": 1, "after": None}
    receiver.wait_for(lambda: len(receiver.taken) == 1)
    since = account.post("/v1/webhooks/crm/redeliver", {"since": "2026-01-01T00:00:00Z"})
    assert (since.status, since.json()["queued"] >= 1) == (202, True)
    receiver.wait_for(lambda: "suppression.removed" in receiver.types())
    assert [each["type"] for each in first_of_each(receiver.taken)] == [
        "suppression.added",
        "suppression.removed",
    ]
    assert account.post("/v1/webhooks/crm/redeliver", {}).status == 422
    unknown = "01990000-0000-7000-8000-000000000000"
    assert account.post("/v1/webhooks/crm/redeliver", {"event_id": unknown}).status == 404


async def test_a_receiver_that_was_away_for_three_days_has_its_events_dead_and_not_lost(
    account: Dialler, receiver: Receiver, hook: Hook, module_database_url: str
) -> None:
    hook(account, "suppression.added")
    receiver.stop()
    engine = create_async_engine(module_database_url)
    for last in range(6):
        suppress(account, f"+1415555014{last}")
    until(lambda: shown(account)["last_error"])
    async with engine.begin() as connection:
        given = {"account": account.account_id}
        await connection.execute(
            text("UPDATE webhooks SET updated_at = now() - interval '4 days' WHERE account_id = :account"),
            given,
        )
        await connection.execute(
            text("UPDATE events SET recorded_at = now() - interval '4 days' WHERE account_id = :account"),
            given,
        )
        await connection.execute(text("UPDATE webhook_deliveries SET until = now() WHERE status = 'waiting'"))
    await engine.dispose()
    until(lambda: len(listed(account, "?status=dead")) == 6, seconds=30)
    receiver.start()
    assert account.post("/v1/webhooks/crm/redeliver", {"since": "2026-01-01T00:00:00Z"}).json()["queued"] == 6
    receiver.wait_for(lambda: len(first_of_each(receiver.taken)) == 6)


def test_gone_switches_it_off_and_to_switch_it_on_goes_on_where_it_was(
    account: Dialler, receiver: Receiver, hook: Hook
) -> None:
    hook(account, "suppression.added")
    receiver.answering = lambda _: 410
    suppress(account, "+14155550168")
    off = until(lambda: not (found := shown(account))["enabled"] and found)
    assert off["disabled_because"] == "the receiver answered 410 Gone"
    receiver.answering = lambda _: 204
    on = account.put("/v1/webhooks/crm", {"url": receiver.url, "events": ["suppression.added"]})
    assert (on.status, on.json()["enabled"], on.json()["disabled_because"]) == (200, True, None)
    receiver.wait_for(lambda: len(receiver.taken) == 1)


def test_a_receiver_that_asks_for_time_gets_it(account: Dialler, receiver: Receiver, hook: Hook) -> None:
    hook(account, "suppression.added")
    receiver.headers, answers = {"Retry-After": "2"}, iter((429,))
    receiver.answering = lambda _: next(answers, 204)
    suppress(account, "+14155550169")
    until(lambda: shown(account)["rests_until"])
    suppress(account, "+14155550170")
    receiver.wait_for(lambda: len(receiver.taken) == 2)
    sent = [int(each["webhook-timestamp"]) for each in receiver.sent_headers]
    assert sent[1] - sent[0] >= 2


def test_how_many_and_what_a_webhook_may_be(account: Dialler, receiver: Receiver) -> None:
    body = {"url": receiver.url, "events": ["suppression.added"]}
    for wrong in ("", "a b", "x" * 65):
        assert account.put(f"/v1/webhooks/{wrong.replace(' ', '%20')}", body).status in (400, 404, 405)
    assert account.put("/v1/webhooks/crm", {**body, "events": []}).status == 422
    assert account.put("/v1/webhooks/crm", {**body, "events": ["a", "b"]}).status == 422
    assert account.put("/v1/webhooks/crm", {**body, "events": ["key.created"] * 2}).status == 422
    assert account.put("/v1/webhooks/crm", {**body, "secret": "mine"}).status == 422
    assert account.with_key("suppressions:write").put("/v1/webhooks/crm", body).status == 403
    for number in range(20):
        assert account.put(f"/v1/webhooks/crm-{number:02}", {**body, "enabled": False}).status == 201
    assert account.put("/v1/webhooks/crm-20", body).status == 409
    assert account.put("/v1/webhooks/crm-19", body).status == 200
    page = account.get("/v1/webhooks?limit=15").json()
    rest = account.get(f"/v1/webhooks?cursor={page['next_cursor']}").json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (15, 5, None)
    assert account.delete("/v1/webhooks/crm-00").status == 204
    assert account.delete("/v1/webhooks/crm-00").status == 404
    assert account.get("/v1/webhooks/crm-00").status == 404
    assert account.get("/v1/webhooks/crm-00/deliveries").status == 404


def test_the_command_line_does_the_same(
    account: Dialler, receiver: Receiver, module_database_url: str
) -> None:
    def run(*arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "webhooks", *arguments, "--account", account.account_id],
            cwd=CHECKOUT,
            env=account.service.environment | {"CALLGATE_DATABASE_URL": module_database_url},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        return done.stdout.strip() or done.stderr.strip()

    secret = run("put", "crm", "--url", receiver.url, "--event", "suppression.added")
    receiver.secret = secret
    suppress(account, "+14155550173")
    receiver.wait_for(lambda: len(receiver.taken) == 1)
    assert receiver.url in run("list")
    until(lambda: '"delivered"' in run("deliveries", "crm", "--json"))
    assert run("redeliver", "crm", "--event", receiver.taken[0]["id"]) == "1 to be told again"
    receiver.wait_for(lambda: len(receiver.taken) == 2)
    assert receiver.unverified == 0
    assert "must not lead to" in run("put", "x", "--url", "https://10.0.0.1/", status=2)
    assert run("delete", "crm") == "removed crm"
