"""Who opts out once more, by whichever way, ends what they agreed to since the first time, for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, rfc3339
from tests.contract.streams import imported
from tests.suppression.test_wishes import stop

Way = Callable[[Dialler, str], None]


def by_message(dialler: Dialler, number: str) -> None:
    stop(dialler, number)


def in_a_call(dialler: Dialler, number: str) -> None:
    message = {
        "type": "end-of-call-report", "endedReason": "customer-ended-call", "customer": {"number": number},
        "artifact": {"messages": [{"role": "user", "message": "Stop calling me"}]},
    }  # fmt: skip
    assert dialler.post("/connectors/vapi", {"message": message}).status == 200


def in_a_list_of_wishes(dialler: Dialler, number: str) -> None:
    at = rfc3339(utc_now() - timedelta(milliseconds=1))
    job = imported(dialler, f"number,channel,source,opted_out_at\n{number},all,opt_out,{at}\n".encode())
    assert job["status"] == "succeeded", job


def in_a_list(dialler: Dialler, number: str) -> None:
    reason = f"asked again at {utc_now()}"
    job = imported(dialler, f"number,channel,source,reason\n{number},all,opt_out,{reason}\n".encode())
    assert job["status"] == "succeeded", job


def by_hand(dialler: Dialler, number: str) -> None:
    assert dialler.put(f"/v1/suppressions/{number}", {"source": "opt_out"}).status in (200, 201)


def by_hand_where_it_stands(dialler: Dialler, number: str) -> None:
    dialler.put(f"/v1/suppressions/{number}", {"source": "manual"})
    answer = dialler.post("/v1/suppressions", {"number": number, "source": "opt_out"})
    assert answer.status == 409, answer.body


WAYS = (by_message, in_a_call, in_a_list_of_wishes, in_a_list, by_hand, by_hand_where_it_stands)


def consent_given_now(dialler: Dialler, number: str) -> dict[str, object]:
    time.sleep(0.01)
    given: dict[str, object] = {
        "kind": "express_written", "channels": ["call"], "given_at": rfc3339(utc_now()), "evidence": "the form",
    }  # fmt: skip
    time.sleep(0.01)
    answer = dialler.put(f"/v1/consents/{number}", given)
    assert answer.status in (200, 201), answer.body
    return given


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", [by_message, by_hand])
def test_a_consent_between_two_opt_outs_does_not_come_back(dialler: Dialler, first: Way, second: Way) -> None:
    number = dialler.open_number()
    first(dialler, number)
    given = consent_given_now(dialler, number)
    second(dialler, number)
    assert dialler.get(f"/v1/consents/{number}").status == 404, "it has ended"
    assert dialler.put(f"/v1/consents/{number}", given).status == 409
    stop(dialler, number, "START")
    dialler.delete(f"/v1/suppressions/{number}?reason=signed+again")
    assert dialler.put(f"/v1/consents/{number}", given).status == 409
    consent_given_now(dialler, number)


def test_an_opt_out_on_top_of_an_entry_that_ends_outlasts_it(dialler: Dialler) -> None:
    """Who is told 409 takes the number for suppressed; it must not be let go with what stood there before."""
    number = dialler.open_number()
    soon, later = (rfc3339(utc_now() + timedelta(hours=hours)) for hours in (1, 2))
    cooling = {"number": number, "reason": "cooling off", "expires_at": soon}
    assert dialler.post("/v1/suppressions", cooling).status == 201
    for ends in (later, None):
        wish = {"number": number, "source": "opt_out", "reason": "unsubscribed", "expires_at": ends}
        answer = dialler.post("/v1/suppressions", wish)
        assert answer.status == 409
        (entry,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
        assert answer.json()["existing"] == entry
        assert (entry["source"], entry["expires_at"]) == ("opt_out", ends)
    sooner = {"number": number, "source": "opt_out", "expires_at": soon}
    assert dialler.post("/v1/suppressions", sooner).status == 409
    (entry,) = dialler.get(f"/v1/suppressions/{number}").json()["entries"]
    assert (entry["reason"], entry["expires_at"]) == ("unsubscribed", None)


def test_the_same_list_again_is_no_later_opt_out(dialler: Dialler) -> None:
    number = dialler.open_number()
    at = rfc3339(utc_now() - timedelta(hours=1))
    for file in (
        f"number,channel,source,opted_out_at\n{number},all,opt_out,{at}\n",
        f"number,channel,source\n{number},all,opt_out\n",
    ):
        imported(dialler, file.encode())
        consent_given_now(dialler, number)
        imported(dialler, file.encode())
        assert dialler.get(f"/v1/consents/{number}").status == 200
