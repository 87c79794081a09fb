"""The conformance kit before examples/kamailio: no INVITE reaches the carrier, and no refusal is a 5xx."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from app.connectors.conformance.faulty_gate import FaultyGate
from app.connectors.conformance.trials import TrialResult, run_trials
from tests.service import free_port
from tests.sip.kamailio import Kamailio

pytestmark = pytest.mark.sip

INVITE = (
    "INVITE sip:{to}@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{call}\r\n"
    "From: <sip:{sender}@127.0.0.1>;tag=kit\r\nTo: <sip:{to}@127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n"
    "Contact: <sip:{sender}@127.0.0.1:{own}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
_COPIED = re.compile(r"^(?:Via|From|To|Call-ID|CSeq|Record-Route):.*\r\n", re.MULTILINE | re.IGNORECASE)


def busy(request: str) -> bytes:
    """A carrier's answer to an INVITE."""
    return f"SIP/2.0 486 Busy Here\r\n{''.join(_COPIED.findall(request))}Content-Length: 0\r\n\r\n".encode()


def test_kamailio_lets_no_call_through(tmp_path: Path) -> None:
    gate = FaultyGate("127.0.0.1", free_port())
    gate.open()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dialler,
    ):
        for each in (carrier, dialler):
            each.bind(("127.0.0.1", 0))
        carrier.settimeout(0.02)
        dialler.settimeout(0.02)
        own = dialler.getsockname()[1]
        with Kamailio(tmp_path, gate.url, "cg_any", carrier.getsockname()[1]) as kamailio:
            dialler.connect(("127.0.0.1", kamailio.port))

            def attempt(to: str, sender: str) -> TrialResult:
                invite = INVITE.format(to=to, sender=sender, port=kamailio.port, own=own, call=f"kit{to[1:]}")
                dialler.send(invite.encode())
                placed, status = False, None
                for _ in range(500):
                    try:
                        request, source = carrier.recvfrom(65536)
                        if request.startswith(b"INVITE"):
                            placed = True
                            carrier.sendto(busy(request.decode()), source)
                    except TimeoutError:
                        pass
                    try:
                        heard = dialler.recv(65536).decode()
                    except TimeoutError:
                        continue
                    code = int(heard.split(" ")[1])
                    if code >= 200 and f"kit{to[1:]}" in heard:
                        tag = re.search(r"^To:.*\r\n", heard, re.MULTILINE)
                        ack = invite.replace("INVITE", "ACK")
                        ack = re.sub(r"To: .*\r\n", tag[0] if tag else "", ack, count=1)
                        dialler.send(ack.encode())
                        status = code
                        break
                assert status is not None, kamailio.log
                return TrialResult(placed, status)

            verdicts = list(run_trials(gate, attempt, 2.5))
    gate.close()
    wrong = {verdict.fault: verdict.outcome for verdict in verdicts if not verdict.passed}
    assert wrong == {}
    assert [verdict.outcome for verdict in verdicts].count("placed") == 2
