"""Nothing but the person's own START, or an admin with a reason, ends what a STOP asked for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import quote

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, new_account, rfc3339, sms
from tests.contract.streams import imported
from tests.service import RunningService

NUMBER = "+14155550177"


def stop(account: Dialler, number: str = NUMBER, words: str = "STOP") -> None:
    """The person writes it."""
    message = {"from": number, "to": "+12125550100", "body": words}
    assert account.post("/v1/inbound-messages", message).status == 200


def suppressed(account: Dialler, number: str = NUMBER) -> bool:
    """Whether a text is refused for the list's sake."""
    preview = account.post("/v1/intents/preview", sms(number)).json()
    return any(violation["code"] == "DNC_BLOCKED" for violation in preview["violations"])


@pytest.fixture
def clerk(dialler: Dialler) -> Dialler:
    """A key of the account that may change the list, and is no admin."""
    return dialler.with_key("suppressions:read", "suppressions:write", "inbound:write", "intents:write")


def test_a_file_that_is_imported_again_does_not_end_a_stop(dialler: Dialler) -> None:
    end = utc_now() + timedelta(seconds=4)
    file = f"number,channel,expires_at\n{NUMBER},all,{rfc3339(end)}\n{NUMBER},sms,{rfc3339(end)}\n".encode()
    imported(dialler, file)
    stop(dialler)
    imported(dialler, file)
    while utc_now() <= end + timedelta(milliseconds=50):
        time.sleep(0.05)
    assert suppressed(dialler)
    stop(dialler, words="START")
    assert not suppressed(dialler)


def test_no_change_of_the_list_touches_a_wish(clerk: Dialler) -> None:
    stop(clerk)
    soon = rfc3339(utc_now() + timedelta(seconds=2))
    for channel in ("all", "sms", "call"):
        body = {"channel": channel, "expires_at": soon, "reason": "for a while"}
        assert clerk.put(f"/v1/suppressions/{NUMBER}", body).status == 201
        assert clerk.post("/v1/suppressions", {"number": NUMBER, "channel": channel}).status == 409
    removed = clerk.delete(f"/v1/suppressions/{NUMBER}?reason=done")
    assert removed.status == 204
    wish = clerk.get(f"/v1/suppressions/{NUMBER}").json()["entries"]
    assert removed.headers["opt-out-stands"] == wish[0]["opted_out_at"]
    assert [(entry["channel"], entry["source"]) for entry in wish] == [("all", "opt_out")]
    refused = clerk.delete(f"/v1/suppressions/{NUMBER}?reason=done")
    assert (refused.status, refused.json()["code"]) == (409, "CONFLICT")
    assert refused.json()["opted_out_at"] == wish[0]["opted_out_at"]
    assert suppressed(clerk)


def test_an_entry_that_is_added_beside_a_wish_is_new(clerk: Dialler) -> None:
    stop(clerk)
    assert clerk.post("/v1/suppressions", {"number": NUMBER}).status == 201
    stop(clerk, words="START")
    assert suppressed(clerk)
    assert clerk.delete(f"/v1/suppressions/{NUMBER}").status == 204
    assert not suppressed(clerk)


def test_an_admin_with_a_reason_removes_a_wish_and_the_history_says_so(dialler: Dialler) -> None:
    stop(dialler)
    assert dialler.delete(f"/v1/suppressions/{NUMBER}").status == 409
    for blank in (" ", "\u200b", "\u00a0\u2060\t", "\u3164", "\ufe0f"):
        assert dialler.delete(f"/v1/suppressions/{NUMBER}?reason={quote(blank)}").status == 409, repr(blank)
    assert dialler.delete(f"/v1/suppressions/{NUMBER}?channel=sms&reason=x").status == 404
    assert dialler.delete(f"/v1/suppressions/{NUMBER}?reason=signed+again+on+paper").status == 204
    assert dialler.get(f"/v1/suppressions/{NUMBER}").status == 404
    last = dialler.get(f"/v1/suppressions/{NUMBER}/history").json()["items"][-1]
    assert (last["action"], last["reason"]) == ("removed", "signed again on paper")


def test_a_wish_of_a_number_that_no_plan_knows_goes_out_comes_in_and_is_lifted_like_any(
    dialler: Dialler, service: RunningService
) -> None:
    unknown = "+15551234567"
    assert dialler.put(f"/v1/suppressions/{unknown}", {}).status == 422
    stop(dialler, unknown)
    file = dialler.get("/v1/suppressions/export").body
    other = new_account(service)
    imported(other, file)
    for account in (dialler, other):
        assert account.get(f"/v1/suppressions/{unknown}").json()["entries"][0]["source"] == "opt_out"
        assert account.delete(f"/v1/suppressions/{unknown}?reason=asked+in+writing").status == 204
        assert account.get(f"/v1/suppressions/{unknown}").status == 404
        events = account.get(f"/v1/suppressions/{unknown}/history").json()["items"]
        assert [event["action"] for event in events] == ["added", "removed"]


def test_imports_changes_and_stops_at_once_lose_no_stop(
    start_service: Callable[..., RunningService],
) -> None:
    """Two processes; the ends that everybody sets have passed before the numbers are asked for."""
    first, second = start_service(workers=1, redis_timeout_ms=1500), None
    account = new_account(first)
    second = start_service(workers=1, redis_timeout_ms=1500, bootstrap_key=first.key)
    both = (account, account.on(second))
    scopes = ("suppressions:write", "inbound:write", "intents:write")
    clerks = [account.with_key(*scopes).on(each.service) for each in both]
    numbers = [f"+1415555{n:04}" for n in range(300, 340)]
    end = utc_now() + timedelta(seconds=25)
    dice = random.Random(5)

    def work(number: str) -> list[int]:
        statuses = []
        for kind in dice.sample(["import", "put", "post", "delete", "stop", "put", "delete", "import"], 8):
            clerk = dice.choice(clerks)
            body = {"channel": dice.choice(["all", "sms", "call"]), "expires_at": rfc3339(end)}
            if kind == "put":
                answer = clerk.put(f"/v1/suppressions/{number}", body)
            elif kind == "post":
                answer = clerk.post("/v1/suppressions", {"number": number, **body})
            elif kind == "delete":
                answer = clerk.delete(f"/v1/suppressions/{number}?reason=x")
            elif kind == "stop":
                message = {"from": number, "to": "+12125550100", "body": "STOP"}
                answer = clerk.post("/v1/inbound-messages", message)
                assert answer.status == 200, answer.body
            else:
                lines = "".join(
                    f"{each},{body['channel']},{rfc3339(end)}\n" for each in dice.sample(numbers, 20)
                )
                answer = clerk.send(
                    "POST",
                    "/v1/suppressions/imports",
                    ("number,channel,expires_at\n" + lines).encode(),
                    headers={"Content-Type": "text/csv"},
                )
            statuses.append(answer.status)
        return statuses

    with ThreadPoolExecutor(6) as pool:
        statuses = {status for each in pool.map(work, numbers) for status in each}
    # 422: a busy machine was past the end. 429: as many of the account's lists were under way as may be.
    assert statuses <= {200, 201, 202, 204, 404, 409, 422, 429, 503}
    while utc_now() <= end + timedelta(milliseconds=100):
        time.sleep(0.1)
    for each in both:
        assert [number for number in numbers if not suppressed(each, number)] == []
