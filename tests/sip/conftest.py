"""Callgate, Kamailio and SIPp on loopback, all of them real."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import phonenumbers
import pytest

from tests.servers import Servers
from tests.service import RunningService
from tests.sip.kamailio import Kamailio, free_udp_port
from tests.sip.sipp import Sipp

CALLER = "+12125550100"
# Somewhere among these it is a weekday's or Sunday's daytime at every hour of the week.
REGIONS = ("US", "GU", "JP", "SG", "AU", "IN", "AE", "ZA", "GB", "DE", "NZ", "BR")
CONNECTOR_SCOPES = ("intents:write", "intents:read", "pools:write")


class Switch:
    """One Callgate, one Kamailio in front of one carrier's port, and calls through them."""

    def __init__(
        self,
        gate: RunningService,
        directory: Path,
        *,
        scopes: Sequence[str] = CONNECTOR_SCOPES,
        **definitions: str,
    ) -> None:
        self.gate = gate
        self.directory = directory
        self.carrier_port = free_udp_port()
        made = gate.post("/v1/api-keys", {"name": "switch", "scopes": list(scopes)})
        assert made.status == 201, made.body
        self.kamailio = Kamailio(
            directory, gate.base_url, made.json()["key"], self.carrier_port, **definitions
        )

    def carrier(self, scenario: str) -> Sipp:
        """Someone who takes one call at the carrier's port."""
        return Sipp(scenario, self.directory, self.carrier_port)

    def caller(
        self,
        scenario: str,
        number: str,
        pool: str,
        seconds: float = 0.5,
        *,
        call_id: str | None = None,
        caller: str = CALLER,
        calls: int = 1,
    ) -> Sipp:
        """A dialler that calls the number, so many times at once; ``seconds`` is the scenario's pause."""
        options = [f"127.0.0.1:{self.kamailio.port}", "-s", number, "-d", str(int(seconds * 1000))]
        if call_id is not None:
            options += ["-cid_str", call_id]
        return Sipp(
            scenario,
            self.directory,
            free_udp_port(),
            *options,
            keys={"caller": caller, "pool": pool},
            calls=calls,
        )

    def in_use(self, pool: str) -> int:
        """Channels of the pool that are taken."""
        return int(self.gate.get(f"/v1/pools/{pool}").json()["in_use"])

    def wait_for_use(self, pool: str, channels: int, seconds: float = 10) -> None:
        """Waits until so many channels are taken; fails with Kamailio's log when that does not come."""
        wait_until(lambda: self.in_use(pool) == channels, seconds, self.story)

    def story(self) -> str:
        """Everything that was logged, for a failing test."""
        logs = [log.read_text(errors="replace") for log in sorted(self.directory.glob("*.errors"))]
        return "\n".join([self.kamailio.log, *logs])


def wait_until(holds: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    """Waits until the condition holds; fails with what ``why`` tells."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


def previews(gate: RunningService) -> Iterator[tuple[str, list[str]]]:
    """Numbers of many zones, no number twice, and the codes of what speaks against each now."""
    for region in REGIONS:
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
        assert example is not None
        prefix = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[:-2]
        for ending in range(100):
            number = f"{prefix}{ending:02}"
            answer = gate.post("/v1/intents/preview", {"type": "call", "to": number, "from": CALLER})
            if answer.status != 200:
                break
            yield number, [violation["code"] for violation in answer.json()["violations"]]


@pytest.fixture(scope="module")
def switch(
    servers: Servers, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Switch]:
    """The pair that most tests share, each with a pool of its own."""
    servers.flush_redis()
    settings = {"database_url": module_database_url, "redis_url": servers.redis_url}
    with RunningService(settings) as gate:
        shared = Switch(gate, tmp_path_factory.mktemp("switch"))
        with shared.kamailio:
            yield shared


@pytest.fixture
def start_switch(switch: Switch, tmp_path: Path) -> Iterator[Callable[..., Switch]]:
    """Another Kamailio, before the shared Callgate or one of its own; keywords are its definitions."""
    with ExitStack() as started:

        def start(
            gate: RunningService | None = None,
            scopes: Sequence[str] = CONNECTOR_SCOPES,
            **definitions: str,
        ) -> Switch:
            other = Switch(gate or switch.gate, tmp_path, scopes=scopes, **definitions)
            started.enter_context(other.kamailio)
            return other

        yield start


@pytest.fixture(scope="module")
def open_numbers(switch: Switch) -> Iterator[str]:
    """Numbers that may be called at this hour, a new one each time."""
    return (number for number, codes in previews(switch.gate) if codes == [])


@pytest.fixture
def number(open_numbers: Iterator[str]) -> str:
    """A number that may be called now and was not called before."""
    return next(open_numbers)


@pytest.fixture
def pool(switch: Switch, request: pytest.FixtureRequest) -> str:
    """A pool of two channels that only this test uses."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[:60]
    answer = switch.gate.request("PUT", f"/v1/pools/{name}", {"capacity": 2}, key=switch.gate.key)
    assert answer.status in (200, 201), answer.body
    return str(name)
