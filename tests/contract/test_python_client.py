"""examples/python_client.py, run as a reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from examples.python_client import Callgate, Refused, Undecided
from tests.contract.dialler import CALLER_ID, Dialler, call
from tests.servers import Servers
from tests.service import CHECKOUT


def run(dialler: Dialler, to: str) -> subprocess.CompletedProcess[str]:
    """The example as a program."""
    return subprocess.run(
        [sys.executable, "examples/python_client.py", dialler.service.base_url, to, CALLER_ID],
        cwd=CHECKOUT, env={**os.environ, "KEY": dialler.key}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def in_use(dialler: Dialler, pool: str = "default") -> int:
    """Channels held in the pool."""
    return int(dialler.get(f"/v1/pools/{pool}").json()["in_use"])


def test_a_call_holds_a_channel_and_gives_it_back(dialler: Dialler) -> None:
    ended = run(dialler, dialler.open_number())
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "approved: channel 1 of 100\n", "")
    assert in_use(dialler) == 0
    client = Callgate(dialler.service.base_url, dialler.key)
    with client.call(call(dialler.open_number())):
        assert in_use(dialler) == 1
    assert in_use(dialler) == 0
    (figures,) = dialler.get("/v1/outcomes").json()["items"]
    assert figures["results"] == {"answered": 1}, "the program told how its call ended"


def test_how_a_call_ended_is_told_and_a_wish_is_kept(dialler: Dialler) -> None:
    client, number = Callgate(dialler.service.base_url, dialler.key), dialler.open_number()
    with client.call(call(number)) as approval:
        approval["outcome"] = {"result": "answered", "asked_not_to_be_called": True}
    assert in_use(dialler) == 0
    with pytest.raises(Refused) as refused:
        client.approve(call(number))
    assert refused.value.code == "DNC_BLOCKED"
    with pytest.raises(Refused):
        client.tell(approval["id"], "delivered")


def test_a_refusal_tells_every_reason_and_when_to_come_back(dialler: Dialler) -> None:
    number = "+18005550177"  # toll-free: no window can be shown to be open
    assert dialler.post("/v1/suppressions", {"number": number, "reason": "asked"}).status == 201
    ended = run(dialler, number)
    assert ended.returncode == 1
    assert "refused, DNC_BLOCKED" in ended.stdout
    assert "suppression list" in ended.stdout
    assert "toll-free" in ended.stdout


class Lossy(Callgate):
    """A client whose connection breaks before the first answer arrives."""

    asked = 0

    def request(self, *arguments: Any, **more: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
        """The answer, but for the first one."""
        answer = super().request(*arguments, **more)
        self.asked += 1
        if self.asked == 1:
            raise ConnectionResetError("lost")
        return answer


def test_a_lost_answer_is_asked_for_again_and_takes_no_second_channel(dialler: Dialler) -> None:
    client = Lossy(dialler.service.base_url, dialler.key)
    approval = client.approve(call(dialler.open_number()))
    assert client.asked == 2
    assert approval["verdict"] == "approved"
    assert in_use(dialler) == 1


def test_a_full_pool_is_asked_again_only_while_there_is_patience(dialler: Dialler) -> None:
    dialler.pool("trunk", capacity=1)
    number = dialler.open_number()
    client = Callgate(dialler.service.base_url, dialler.key)
    with client.call(call(number, pool="trunk")), pytest.raises(Refused) as refused:
        client.approve(call(number, pool="trunk"), patience_seconds=0)
    assert refused.value.code == "CHANNEL_BUDGET_EXCEEDED"
    assert client.approve(call(number, pool="trunk"))["lease"]["in_use"] == 1


def test_without_an_answer_there_is_no_approval(dialler: Dialler, breakable_servers: Servers) -> None:
    number = dialler.open_number()
    breakable_servers.stop_redis()
    with pytest.raises(Undecided, match="cannot be asked"):
        Callgate(dialler.service.base_url, dialler.key).approve(call(number), patience_seconds=1)
