"""The Python client beside a server that lies: nothing but an approval of the very intent lets a call through."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import ssl
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest
from callgate_client import (
    AsyncCallgate,
    Callgate,
    Faulty,
    NotApproved,
    NotTold,
    Refused,
    Unavailable,
)

from tests.clients.liar import FROM, LEASE, TO, Liar, Reply, approval, hang, refusing, response
from tests.clients.lies import GOOD, LIES, LIES_BETWEEN_NAMES, REFUSALS, VIOLATIONS

APPROVED, TOLD, RELEASED = response(201, GOOD), response(200, {"result": "answered"}), response(204, length=0)
BUSY = refusing(429, "CHANNEL_BUDGET_EXCEEDED", "Retry-After: 1", violations=VIOLATIONS[:1], retry_after=1)


@pytest.mark.parametrize("lie", [*LIES, *LIES_BETWEEN_NAMES])
async def test_a_lie_is_no_approval(lie: str) -> None:
    began = time.monotonic()
    with Liar((LIES | LIES_BETWEEN_NAMES)[lie]) as liar:
        # What certificates are trusted takes longer to read than all the rest, and is of no use here.
        plain = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        async with AsyncCallgate(liar.url, "cg_x", timeout=0.3, transport=plain) as gate:
            with pytest.raises(Unavailable):
                async with gate.call(to=TO, from_=FROM, patience=0):
                    raise AssertionError("dialled")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("lie", ["hangs", "head comes byte by byte", "without an end", "302", "200"])
def test_nor_is_it_for_threads(lie: str) -> None:
    began = time.monotonic()
    with (
        Liar(LIES[lie]) as liar,
        Callgate(liar.url, "cg_x", timeout=0.3, patience=0) as gate,
        pytest.raises(Unavailable),
        gate.call(to=TO, from_=FROM),
    ):
        raise AssertionError("dialled")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_told_by_its_kind(refusal: str) -> None:
    reply, kind = REFUSALS[refusal]
    with (
        Liar(reply) as liar,
        Callgate(liar.url, "cg_x", patience=0) as gate,
        pytest.raises(NotApproved) as raised,
        gate.call(to=TO, from_=FROM),
    ):
        raise AssertionError("dialled")
    assert type(raised.value).__name__ == kind
    assert len(liar.asked) == 1


def test_the_approval_of_a_call_and_of_a_text_pass() -> None:
    with Liar(APPROVED, RELEASED) as liar, Callgate(liar.url, "cg_x") as gate:
        with gate.call(to=TO, from_=FROM) as call:
            assert (call.id, call.held, call.approval.lease_id) == (LEASE, True, LEASE)
            assert call.approval.expires_at == datetime(2026, 11, 21, 18, 2, tzinfo=UTC)
        assert [(each.method, each.path) for each in liar.asked] == [
            ("POST", "/v1/intents"),
            ("DELETE", f"/v1/leases/{LEASE}"),
        ]
        assert liar.asked[0].headers["authorization"] == "Bearer cg_x"
    warning = {"rule": "r", "severity": "warn"}
    text = approval("sms", checks=[{"guardrail": "content", "outcome": "pass", "warnings": [warning]}])
    with Liar(response(201, text)) as liar, Callgate(liar.url, "cg_x") as gate:
        approved = gate.sms(to=TO, from_=FROM, body="Your table is ready.")
        assert (approved.warnings, approved.lease_id, approved.expires_at) == ([warning], None, None)


def test_what_refused_is_told_whole() -> None:
    members = {"violations": VIOLATIONS, "next_allowed_at": "2026-11-22T14:00:00Z", "intent_id": LEASE}
    with (
        Liar(refusing(403, "TCPA_BLOCKED", **members)) as liar,
        Callgate(liar.url, "cg_x") as gate,
        pytest.raises(Refused, match="TCPA_BLOCKED: why") as raised,
    ):
        gate.sms(to=TO, from_=FROM, body="Hello")
    refused = pickle.loads(pickle.dumps(raised.value))  # as a task queue hands it on
    assert [each["code"] for each in refused.violations] == ["DNC_BLOCKED", "TCPA_BLOCKED"]
    assert refused.reasons == ["listed", "too early"]
    assert refused.next_allowed_at == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert (refused.intent_id, refused.retry_after, refused.status) == (LEASE, None, 403)


@pytest.mark.parametrize("told", [None, "soon", "2026-11-22", 7])
def test_a_refusal_whose_instant_is_none_is_a_refusal(told: object) -> None:
    reply = refusing(403, "TCPA_BLOCKED", violations=VIOLATIONS, next_allowed_at=told)
    with Liar(reply) as liar, Callgate(liar.url, "cg_x") as gate, pytest.raises(Refused) as raised:
        gate.sms(to=TO, from_=FROM, body="Hello")
    assert raised.value.next_allowed_at is None


@pytest.mark.parametrize(
    ("first", "least"),
    [
        (BUSY, 1.0),
        (refusing(503, "SERVICE_UNAVAILABLE", "Retry-After: 1"), 1.0),
        (refusing(409, "CONFLICT", "Retry-After: 1"), 1.0),
        (refusing(500, "INTERNAL"), 1.0),
        (response(502, b"<html>"), 0.2),
        (response(201, b"{"), 0.2),
        (b"", 0.0),
        (hang, 0.0),
    ],
    ids=["429", "503", "409", "500", "502", "half a body", "closed", "hangs"],
)
def test_what_passes_is_asked_again_under_the_same_key(first: Reply, least: float) -> None:
    began = time.monotonic()
    replies = (first, APPROVED, RELEASED, APPROVED, RELEASED)
    with Liar(*replies) as liar, Callgate(liar.url, "cg_x", timeout=0.5) as gate:
        with gate.call(to=TO, from_=FROM):
            pass
        assert time.monotonic() - began >= least
        assert len(liar.keys) == 2
        assert len(set(liar.keys)) == 1
        assert liar.keys[0].startswith('"')
        with gate.call(to=TO, from_=FROM):
            pass
        assert len(set(liar.keys)) == 2, "another call is another attempt"


def test_nobody_waits_longer_than_their_patience() -> None:
    long = refusing(429, "RATE_LIMITED", "Retry-After: 5", retry_after=5)
    began = time.monotonic()
    with Liar(long) as liar, Callgate(liar.url, "cg_x", patience=2) as gate:
        with pytest.raises(Refused) as raised:
            gate.sms(to=TO, from_=FROM, body="Hello")
        assert time.monotonic() - began < 1, "a wait that is too long is not begun"
        assert raised.value.retry_after == 5
    with Liar(hang) as liar, Callgate(liar.url, "cg_x", timeout=0.3) as gate:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer"):
            gate.sms(to=TO, from_=FROM, body="Hello", patience=1)
        assert 0.5 < time.monotonic() - began < 1.8
        assert len(liar.asked) >= 2
    with Callgate(liar.url, "cg_x") as gate, pytest.raises(Unavailable, match="ConnectError"):
        gate.sms(to=TO, from_=FROM, body="Hello", patience=0.5)


def test_an_outcome_is_told_in_place_of_a_release_and_again_until_it_is_taken() -> None:
    unwell = refusing(503, "SERVICE_UNAVAILABLE", "Retry-After: 1")
    with Liar(APPROVED, unwell, TOLD) as liar, Callgate(liar.url, "cg_x") as gate:
        with gate.call(to=TO, from_=FROM) as call:
            call.outcome("no_answer", ring_seconds=20)
            call.outcome("answered", talk_seconds=41.5, asked_not_to_be_called=True)
        assert [each.path for each in liar.asked[1:]] == [f"/v1/intents/{LEASE}/outcome"] * 2
        assert (
            liar.asked[-1].body == b'{"result":"answered","talk_seconds":41.5,"asked_not_to_be_called":true}'
        )


def talk(gate: Callgate, failure: Exception | None) -> None:
    """A call whose person asked not to be called again, and that may end badly on our side."""
    with gate.call(to=TO, from_=FROM) as call:
        call.outcome("answered", asked_not_to_be_called=True)
        if failure:
            raise failure


def test_an_outcome_that_is_not_taken_is_raised_but_never_over_the_blocks_own_exception() -> None:
    for own in (None, ZeroDivisionError("the switch")):
        with Liar(APPROVED, refusing(404, "NOT_FOUND")) as liar, Callgate(liar.url, "cg_x") as gate:
            with pytest.raises(NotTold if own is None else ZeroDivisionError) as raised:
                talk(gate, own)
            assert [each.path for each in liar.asked[1:]] == [f"/v1/intents/{LEASE}/outcome"]
        if isinstance(raised.value, NotTold):
            told = pickle.loads(pickle.dumps(raised.value))
            assert (told.intent_id, told.result) == (LEASE, "answered")
            assert told.details == {"asked_not_to_be_called": True}


def test_a_release_that_fails_ends_no_call_badly() -> None:
    with Liar(APPROVED, refusing(404, "NOT_FOUND")) as liar, Callgate(liar.url, "cg_x") as gate:
        with gate.call(to=TO, from_=FROM):
            pass
        assert len(liar.asked) == 2


def test_a_lease_that_is_over_is_told_to_the_block() -> None:
    with Liar(APPROVED, refusing(409, "CONFLICT"), RELEASED) as liar, Callgate(liar.url, "cg_x") as gate:
        with gate.call(to=TO, from_=FROM, renew_every=0.1) as call:
            deadline = time.monotonic() + 5
            while call.held and time.monotonic() < deadline:
                time.sleep(0.02)
            assert not call.held
        assert [each.path.rpartition("/")[2] for each in liar.asked] == ["intents", "renew", LEASE]


def test_a_renewal_makes_good_what_failed_before_it() -> None:
    away, renewed = (
        refusing(503, "SERVICE_UNAVAILABLE"),
        response(200, {"expires_at": "2026-11-21T18:02:02Z"}),
    )
    with Liar(APPROVED, away, away, away, renewed, RELEASED) as liar, Callgate(liar.url, "cg_x") as gate:
        with gate.call(to=TO, from_=FROM, renew_every=0.45) as call:
            time.sleep(2.3)
            assert call.held
        told = [json.loads(each.body)["extend_by"] for each in liar.asked if each.path.endswith("/renew")]
        assert told[0] == 1
        assert told[3] >= 2, "three that failed are made good by the fourth"


def test_a_client_that_is_closed_keeps_nobody_waiting() -> None:
    found: list[BaseException] = []

    def ask() -> None:
        try:
            gate.sms(to=TO, from_=FROM, body="Hello", patience=60)
        except BaseException as error:
            found.append(error)

    with Liar(hang) as liar:
        gate = Callgate(liar.url, "cg_x", timeout=60)
        caller = threading.Thread(target=ask)
        caller.start()
        time.sleep(0.5)
        gate.close()
        caller.join(5)
        assert [type(error) for error in found] == [Unavailable]


def test_what_is_no_key_is_told_at_once_and_not_shown() -> None:
    for key in ("cg_secret\n", " cg_secret", "Bearer cg_secret", "cg_sécret", ""):
        for kind in (Callgate, AsyncCallgate):
            with pytest.raises(ValueError, match="cg_") as raised:
                kind("http://127.0.0.1:1", key)
            assert "cret" not in str(raised.value)


def test_an_intent_that_is_none_is_not_asked() -> None:
    with Callgate("http://127.0.0.1:1", "cg_x") as gate, pytest.raises(ValueError, match="type call or sms"):
        gate.approve({"type": "fax", "to": TO, "from": FROM})


async def test_a_question_that_nobody_waits_for_any_more_gives_its_channel_back() -> None:
    def late(connection: object) -> None:
        time.sleep(0.3)
        connection.sendall(APPROVED)  # type: ignore[attr-defined]

    with Liar(late, RELEASED) as liar:
        async with AsyncCallgate(liar.url, "cg_x") as gate:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), gate.call(to=TO, from_=FROM):
                    raise AssertionError("dialled")
        assert [each.method for each in liar.asked] == ["POST", "DELETE"]


def test_faults_name_every_field() -> None:
    with (
        Liar(REFUSALS["400"][0]) as liar,
        Callgate(liar.url, "cg_x") as gate,
        pytest.raises(Faulty) as raised,
    ):
        gate.sms(to=TO, from_=FROM, body="Hello")
    assert [each["field"] for each in raised.value.errors] == ["to"]


@pytest.mark.parametrize("verb", ["call", "sms", "approve", "preview", "outcome", "renew", "release"])
def test_both_clients_take_the_same(verb: str) -> None:
    """The one for threads is the other on a loop of its own; what it takes is written twice, for who reads it."""
    theirs = [inspect.signature(getattr(client, verb)).parameters for client in (AsyncCallgate, Callgate)]
    assert list(theirs[0].values()) == list(theirs[1].values())
