"""Real calls through examples/kamailio: what the caller hears, and which channels are taken meanwhile."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from tests.servers import Servers
from tests.service import RunningService
from tests.sip.conftest import CALLER, Switch, previews, wait_until
from tests.sip.sipp import Response

pytestmark = pytest.mark.sip

MESSAGE = (
    "{{method}} sip:{to}@127.0.0.1:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bKrepeated{own}\r\n"
    "From: <sip:{caller}@127.0.0.1>;tag=repeated\r\nTo: <sip:{to}@127.0.0.1>\r\nCall-ID: repeated-{own}\r\n"
    "CSeq: 1 {{method}}\r\nContact: <sip:{caller}@127.0.0.1:{own}>\r\nMax-Forwards: 70\r\n"
    "X-Callgate-Pool: {pool}\r\nContent-Length: 0\r\n\r\n"
)


def refusal(
    switch: Switch, number: str, pool: str, *, caller: str = CALLER, call_id: str | None = None
) -> Response:
    """What a caller hears who must not get through; fails when anything reached the carrier."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", switch.carrier_port))
        with switch.caller("caller_refused", number, pool, caller=caller, call_id=call_id) as dialler:
            dialler.finish()
        carrier.setblocking(False)
        with pytest.raises(BlockingIOError):
            carrier.recv(4096)
    return dialler.final()


def intents_to(gate: RunningService, number: str) -> list[dict[str, object]]:
    """The decisions recorded about the number."""
    return list(gate.get(f"/v1/intents?to=%2B{number[1:]}").json()["items"])


def test_a_call_holds_a_channel_until_its_bye(switch: Switch, number: str, pool: str) -> None:
    with (
        switch.carrier("carrier_answers") as carrier,
        switch.caller("caller_talks", number, pool, 2) as caller,
    ):
        switch.wait_for_use(pool, 1)
        time.sleep(1)
        assert switch.in_use(pool) == 1
        caller.finish()
        carrier.finish()
    switch.wait_for_use(pool, 0)
    recorded = intents_to(switch.gate, number)
    assert [(i["verdict"], i["from"]) for i in recorded] == [("approved", CALLER)]


@pytest.mark.parametrize(
    ("carrier", "caller", "seconds", "result"),
    [
        ("carrier_answers", "caller_talks", 2, "answered"),
        ("carrier_busy", "caller_refused", 0, "busy"),
        ("carrier_rings", "caller_cancels_ringing", 1, "no_answer"),
    ],
)
def test_how_a_call_ended_is_told_with_its_channel(
    switch: Switch, number: str, pool: str, carrier: str, caller: str, seconds: int, result: str
) -> None:
    def told() -> int:
        items = switch.gate.get("/v1/outcomes?campaign=").json()["items"]
        return int(items[0]["results"].get(result, 0))

    before = told()
    with (
        switch.carrier(carrier) as answering,
        switch.caller(caller, number, pool, *([seconds] if seconds else [])) as calling,
    ):
        calling.finish()
        answering.finish()
    wait_until(lambda: told() == before + 1, 10, switch.story)
    switch.wait_for_use(pool, 0)


def test_a_suppressed_number_is_refused(switch: Switch, number: str, pool: str) -> None:
    assert switch.gate.post("/v1/suppressions", {"number": number, "channel": "call"}).status == 201
    heard = refusal(switch, number, pool)
    assert (heard.status, heard.reason) == (603, "DNC Blocked")
    assert heard.fields["x-callgate-code"] == "DNC_BLOCKED"
    (recorded,) = intents_to(switch.gate, number)
    assert heard.fields["x-callgate-intent"] == recorded["id"]
    assert switch.in_use(pool) == 0


def test_a_closed_window_says_when_it_opens(switch: Switch, pool: str) -> None:
    closed = next(number for number, codes in previews(switch.gate) if codes == ["TCPA_BLOCKED"])
    heard = refusal(switch, closed, pool)
    assert (heard.status, heard.reason) == (603, "TCPA Blocked")
    opens = heard.fields["x-callgate-next-allowed-at"]
    assert opens.endswith("Z")
    assert opens > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert "retry-after" not in heard.fields


def test_a_full_pool_asks_to_come_back(switch: Switch, open_numbers: Iterator[str], pool: str) -> None:
    switch.gate.request("PUT", f"/v1/pools/{pool}", {"capacity": 1}, key=switch.gate.key)
    with switch.carrier("carrier_answers") as carrier:
        with switch.caller("caller_talks", next(open_numbers), pool, 3) as first:
            switch.wait_for_use(pool, 1)
            with switch.caller("caller_refused", next(open_numbers), pool) as second:
                second.finish()
            heard = second.final()
            first.finish()
        carrier.finish()
    assert (heard.status, heard.reason) == (480, "Channel Budget Exceeded")
    assert heard.fields["x-callgate-code"] == "CHANNEL_BUDGET_EXCEEDED"
    assert int(heard.fields["retry-after"]) >= 1
    switch.wait_for_use(pool, 0)


def test_too_many_calls_a_second_ask_to_come_back(
    switch: Switch, open_numbers: Iterator[str], pool: str
) -> None:
    limits = {"capacity": 5, "calls_per_second": 1, "burst": 1}
    switch.gate.request("PUT", f"/v1/pools/{pool}", limits, key=switch.gate.key)
    taken = switch.gate.post(
        "/v1/intents", {"type": "call", "to": next(open_numbers), "from": CALLER, "pool": pool}
    )
    assert taken.status == 201, taken.body
    heard = refusal(switch, next(open_numbers), pool)
    assert (heard.status, heard.reason, heard.fields["x-callgate-code"]) == (
        480,
        "Too Many Calls",
        "RATE_LIMITED",
    )
    assert int(heard.fields["retry-after"]) >= 1


def test_a_caller_who_gives_up_while_it_rings_frees_the_channel(
    switch: Switch, number: str, pool: str
) -> None:
    with (
        switch.carrier("carrier_rings") as carrier,
        switch.caller("caller_cancels_ringing", number, pool, 1) as caller,
    ):
        switch.wait_for_use(pool, 1)
        caller.finish()
        carrier.finish()
    assert caller.final().status == 487
    switch.wait_for_use(pool, 0)


def test_a_caller_who_gives_up_while_callgate_decides_frees_the_channel(
    switch: Switch, breakable_servers: Servers, number: str, pool: str
) -> None:
    breakable_servers.freeze_postgres()
    with switch.caller("caller_cancels_asking", number, pool, 0.2) as caller:
        # Answered although Callgate has not answered.
        caller.finish()
    assert caller.final().status == 487
    breakable_servers.thaw_postgres()
    wait_until(lambda: len(intents_to(switch.gate, number)) == 1, 5, switch.story)
    assert intents_to(switch.gate, number)[0]["verdict"] == "approved"
    switch.wait_for_use(pool, 0)


def test_a_busy_callee_frees_the_channel(switch: Switch, number: str, pool: str) -> None:
    with switch.carrier("carrier_busy") as carrier, switch.caller("caller_refused", number, pool) as caller:
        caller.finish()
        carrier.finish()
    assert caller.final().status == 486
    assert len(intents_to(switch.gate, number)) == 1
    switch.wait_for_use(pool, 0)


def test_a_carrier_that_says_nothing_frees_the_channel(switch: Switch, number: str, pool: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", switch.carrier_port))
        with switch.caller("caller_refused", number, pool) as caller:
            switch.wait_for_use(pool, 1)
            caller.finish()
    assert caller.final().status == 408
    switch.wait_for_use(pool, 0)


def test_a_party_that_vanished_frees_the_channel(
    start_switch: Callable[..., Switch], number: str, pool: str
) -> None:
    switch = start_switch(KEEPALIVE_SECONDS="30")
    with switch.carrier("carrier_answers"):
        with switch.caller("caller_vanishes", number, pool) as caller:
            caller.finish()
        assert switch.in_use(pool) == 1
        switch.wait_for_use(pool, 0, seconds=55)


def test_a_retransmitted_invite_takes_one_channel(switch: Switch, number: str, pool: str) -> None:
    with (
        switch.carrier("carrier_rings") as carrier,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller,
    ):
        caller.bind(("127.0.0.1", 0))
        message = MESSAGE.format(
            to=number, port=switch.kamailio.port, own=caller.getsockname()[1], caller=CALLER, pool=pool
        )
        invite = message.format(method="INVITE").encode()
        for pause in (0, 0.002, 0.02, 0.5, 0.5):
            time.sleep(pause)
            caller.sendto(invite, ("127.0.0.1", switch.kamailio.port))
        switch.wait_for_use(pool, 1)
        time.sleep(0.5)
        assert switch.in_use(pool) == 1
        caller.sendto(message.format(method="CANCEL").encode(), ("127.0.0.1", switch.kamailio.port))
        carrier.finish()
    switch.wait_for_use(pool, 0)
    assert len(intents_to(switch.gate, number)) == 1


def test_the_same_invite_by_two_proxies_takes_one_channel(
    switch: Switch, start_switch: Callable[..., Switch], number: str, pool: str
) -> None:
    other, call_id = start_switch(), f"{uuid.uuid4()}"
    with (
        switch.carrier("carrier_answers"),
        other.carrier("carrier_answers"),
        switch.caller("caller_talks", number, pool, 3, call_id=call_id) as first,
        other.caller("caller_talks", number, pool, 2, call_id=call_id) as second,
    ):
        time.sleep(1)
        assert switch.in_use(pool) == 1
        # And by another path to the same proxy it is refused, for that would be a second call on that channel.
        merged = refusal_beside(switch, number, pool, call_id)
        assert (merged.status, merged.reason) == (482, "Request Merged")
        second.finish()
        first.finish()
    assert len(intents_to(switch.gate, number)) == 1
    switch.wait_for_use(pool, 0)
    again = refusal(other, number, pool, call_id=call_id)
    assert (again.status, again.reason) == (400, "Call Identifier Used Before")


def refusal_beside(switch: Switch, number: str, pool: str, call_id: str) -> Response:
    """What a caller hears who is refused while the carrier has another call."""
    with switch.caller("caller_refused", number, pool, call_id=call_id) as caller:
        caller.finish()
    return caller.final()


def test_a_long_call_keeps_its_channel(switch: Switch, number: str, pool: str) -> None:
    with (
        switch.carrier("carrier_answers") as carrier,
        switch.caller("caller_talks", number, pool, 40) as caller,
    ):
        switch.wait_for_use(pool, 1)
        (recorded,) = intents_to(switch.gate, number)
        lease = switch.gate.get(f"/v1/intents/{recorded['id']}").json()["lease"]
        for _ in range(36):
            time.sleep(1)
            assert switch.in_use(pool) == 1, switch.kamailio.log
        state = switch.gate.get(f"/v1/leases/{lease['id']}").json()
        # The lease was for 30 seconds, and renewals keep it at 30 seconds and no more.
        assert state["state"] == "held"
        ahead = seconds_until(state["expires_at"])
        assert 15 <= ahead <= 33
        caller.finish()
        carrier.finish()
    switch.wait_for_use(pool, 0)


def seconds_until(instant: str) -> float:
    """Seconds from now until the instant."""
    return datetime.fromisoformat(instant.replace("Z", "+00:00")).timestamp() - time.time()


def test_without_callgate_no_call_and_no_lost_release(
    start_service: Callable[..., RunningService],
    start_switch: Callable[..., Switch],
    open_numbers: Iterator[str],
) -> None:
    gate = start_service()
    switch = start_switch(gate)
    with switch.carrier("carrier_answers") as carrier:
        with switch.caller("caller_talks", next(open_numbers), "default", 3) as caller:
            switch.wait_for_use("default", 1)
            assert gate.terminate() == 0
            caller.finish()
        carrier.finish()
    heard = refusal(switch, next(open_numbers), "default")
    assert (heard.status, heard.reason, heard.fields["retry-after"]) == (480, "Temporarily Unavailable", "5")
    gate.start()
    switch.wait_for_use("default", 0)
    with switch.carrier("carrier_answers") as carrier:
        with switch.caller("caller_talks", next(open_numbers), "default") as caller:
            caller.finish()
        carrier.finish()


def test_a_callgate_that_does_not_answer_is_not_waited_for(
    switch: Switch, breakable_servers: Servers, number: str, pool: str
) -> None:
    breakable_servers.freeze_postgres()
    began = time.monotonic()
    heard = refusal(switch, number, pool)
    assert time.monotonic() - began < 3
    assert (heard.status, heard.reason, heard.fields["retry-after"]) == (480, "Temporarily Unavailable", "5")


def test_callers_of_a_callgate_that_hangs_hold_nobody_up(
    switch: Switch, breakable_servers: Servers, number: str, pool: str
) -> None:
    breakable_servers.freeze_postgres()
    with switch.caller("caller_refused", number, pool, calls=400) as callers:
        for _ in range(10):
            time.sleep(0.1)
            assert switch.kamailio.answers(0.5), switch.story()
        callers.finish(10)
    heard = callers.finals()
    assert len({response.fields["call-id"] for response in heard}) == 400
    assert {response.status for response in heard} == {480}


def test_a_key_without_the_scope_opens_nothing_and_tells_nothing(
    start_switch: Callable[..., Switch], number: str, pool: str
) -> None:
    heard = refusal(start_switch(scopes=("intents:read",)), number, pool)
    assert (heard.status, heard.reason) == (480, "Temporarily Unavailable")
    assert "x-callgate-code" not in heard.fields


@pytest.mark.parametrize("wrong", ["2125550123", "12125550123", "+1212555", "+19995550123", "911"])
def test_a_number_that_is_none_is_incomplete(switch: Switch, pool: str, wrong: str) -> None:
    heard = refusal(switch, wrong, pool)
    assert (heard.status, heard.reason) == (484, "Address Incomplete")


def test_a_caller_id_that_is_none_is_refused(switch: Switch, number: str, pool: str) -> None:
    heard = refusal(switch, number, pool, caller="anonymous")
    assert (heard.status, heard.reason) == (400, "Bad Caller Id")
    assert intents_to(switch.gate, number) == []


def test_what_an_earlier_life_left_behind_is_given_back(
    start_switch: Callable[..., Switch], switch: Switch, open_numbers: Iterator[str], pool: str
) -> None:
    body = {"type": "call", "to": next(open_numbers), "from": CALLER, "pool": pool}
    assert switch.gate.post("/v1/intents", body).status == 201
    assert switch.in_use(pool) == 1
    other = start_switch(RECONCILE_POOL=f'"{pool}"')
    other.wait_for_use(pool, 0)
    with other.carrier("carrier_answers") as carrier:
        with other.caller("caller_talks", next(open_numbers), pool, 1) as caller:
            caller.finish()
        carrier.finish()


def test_a_route_header_alone_opens_nothing(switch: Switch) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        carrier.bind(("127.0.0.1", switch.carrier_port))
        stranger.bind(("127.0.0.1", 0))
        stranger.settimeout(5)
        request = (
            f"INVITE sip:x@127.0.0.1:{switch.carrier_port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{stranger.getsockname()[1]};branch=z9hG4bKstranger\r\n"
            f"Route: <sip:127.0.0.1:{switch.kamailio.port};lr>\r\n"
            f"From: <sip:{CALLER}@127.0.0.1>;tag=a\r\nTo: <sip:x@127.0.0.1>;tag=b\r\n"
            "Call-ID: stranger\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        stranger.sendto(request.encode(), ("127.0.0.1", switch.kamailio.port))
        assert stranger.recv(4096).startswith(b"SIP/2.0 481 ")
        carrier.setblocking(False)
        with pytest.raises(BlockingIOError):
            carrier.recv(4096)
