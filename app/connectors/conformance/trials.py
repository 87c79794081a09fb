"""One trial after another: may the connector place this call, with the gate in that state?"""

from __future__ import annotations

import http.client
import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.connectors.conformance.faults import Fault, every_fault
from app.connectors.conformance.faulty_gate import FaultyGate

CALLER_ID = "+12125550100"
_SIP = re.compile(rb"sip (\d{3})\s*$", re.IGNORECASE)


class TrialBroken(Exception):
    """The connector could not be tried at all."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What became of one call. ``sip_status``: how it was refused, where the connector says so."""

    placed: bool
    sip_status: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one fault showed. ``outcome``: closed, LET THROUGH, FAILS OVER, did not ask, not placed or no such shape."""

    fault: str
    says: str
    outcome: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether it is as it should be."""
        return self.outcome in ("closed", "placed", "no such shape")


# From the numbers of a call, to and from, to what became of it.
Try = Callable[[str, str], TrialResult]


def by_address(url: str, seconds: float) -> Try:
    """A trial by POST to the connector's own page: it answers {"placed": bool, "sip_status"?: int}."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("must be http://… or https://…")

    def attempt(to: str, sender: str) -> TrialResult:
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=seconds)
        try:
            body, target = json.dumps({"to": to, "from": sender}), address.path or "/"
            if address.query:
                target += f"?{address.query}"
            connection.request("POST", target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            told = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TrialBroken(f"{url} did not say what became of the call: {error!r}") from error
        finally:
            connection.close()
        if response.status != 200 or not isinstance(told, dict) or not isinstance(told.get("placed"), bool):
            raise TrialBroken(f'{url} must answer 200 and {{"placed": true or false}}')
        sip = told.get("sip_status")
        return TrialResult(told["placed"], sip if isinstance(sip, int) else None)

    return attempt


def by_command(command: str, seconds: float, environment: Mapping[str, str]) -> Try:
    """A trial by a command: status 0 says placed, 1 not placed; a last line `sip 603` says how it was refused.

    {to} and {from} in the command are the numbers. CALLGATE_URL and CALLGATE_KEY are set for it.
    """
    words = shlex.split(command)

    def attempt(to: str, sender: str) -> TrialResult:
        filled = [word.replace("{to}", to).replace("{from}", sender) for word in words]
        try:
            done = subprocess.run(
                filled,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrialBroken(f"{words[0]} did not say what became of the call: {error!r}") from error
        if done.returncode not in (0, 1):
            raise TrialBroken(
                f"{words[0]} ended with {done.returncode}, neither placed (0) nor not placed (1)"
            )
        told = _SIP.search(done.stdout)
        return TrialResult(done.returncode == 0, int(told[1]) if told else None)

    return attempt


def run_trials(gate: FaultyGate, attempt: Try, slow_seconds: float) -> Iterator[Verdict]:
    """A verdict for each fault, between two for a gate that approves: a connector that places no call proves nothing.

    Raises TrialBroken.
    """
    faults: list[Fault | None] = [None, *every_fault(slow_seconds), None]
    for number, fault in enumerate(faults):
        gate.play(fault)
        began = time.monotonic()
        result = attempt(f"+1415555{1000 + number:04d}", CALLER_ID)
        seconds = time.monotonic() - began
        if fault is None:
            yield Verdict("none", "an approval", "placed" if result.placed else "not placed", seconds)
        else:
            yield Verdict(fault.name, fault.says, _outcome(gate, fault, result), seconds)


def _outcome(gate: FaultyGate, fault: Fault, result: TrialResult) -> str:
    if gate.without_shape:
        return "no such shape"
    if result.placed:
        return "LET THROUGH"
    if not fault.away and not gate.asked:
        return "did not ask"
    refused = fault.name.startswith("refused:")
    if refused and result.sip_status is not None and result.sip_status // 100 == 5:
        return "FAILS OVER"
    return "closed"
