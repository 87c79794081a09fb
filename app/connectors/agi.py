"""callgate agi: an AGI program for Asterisk's dial plan that hangs up unless the call was approved.

Before Dial(): `AGI(callgate,agi)` asks, and sets CALLGATE_VERDICT to ALLOW, CALLGATE_INTENT and the channel's longest
time, or hangs up with cause 21 (call rejected: a final refusal, on which no other gateway is tried). After it, in the h
extension, `AGI(callgate,agi,done)` tells the outcome by DIALSTATUS and gives the channel back. The variables
CALLGATE_TO, CALLGATE_FROM, CALLGATE_CAMPAIGN, CALLGATE_POOL, CALLGATE_PURPOSE, CALLGATE_SUBJECT and CALLGATE_VOICE_TYPE
say what the extension and the caller id do not.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import uuid
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal

import typer

from app.connectors.strict_gate import NotApproved, StrictGate

REJECTED = 21  # ITU-T Q.850: call rejected
MOST_LINES, LONGEST_LINE = 200, 4096
_ANSWER = re.compile(r"200 result=(-?\d+)(?: \((.*)\))?", re.DOTALL)
_UNSAFE = re.compile(r"[^ -~]|[\"\\]")
# Of a call, what its channel may say of it beyond whom it is to and from.
_VARIABLES = ("campaign", "pool", "purpose", "subject", "voice_type")
_RESULTS: Mapping[str, str] = {
    "ANSWER": "answered",
    "BUSY": "busy",
    "NOANSWER": "no_answer",
    "CANCEL": "no_answer",
    "CONGESTION": "failed",
    "CHANUNAVAIL": "failed",
}


class Broken(Exception):
    """What is on the other side does not speak AGI, or the channel is gone."""


class Channel:
    """The channel on the other side of two pipes."""

    def __init__(self, received: BinaryIO, sent: BinaryIO) -> None:
        self._received, self._sent = received, sent
        self.told: dict[str, str] = {}  # agi_extension, agi_callerid, …

    def greet(self) -> None:
        """Read what Asterisk says first. Raises Broken."""
        for _ in range(MOST_LINES):
            line = self._line()
            if not line:
                return
            name, separator, value = line.partition(":")
            if not separator or not name.startswith("agi_"):
                raise Broken(f"no AGI environment: {line[:80]!r}")
            self.told[name] = value.strip()
        raise Broken("an environment without an end")

    def command(self, *words: str) -> tuple[int, str]:
        """The result of one command, and what stands behind it. Raises Broken."""
        self._sent.write((" ".join(words) + "\n").encode())
        self._sent.flush()
        line = self._line()
        found = _ANSWER.fullmatch(line)
        if found is None:
            raise Broken(f"{words[0]} was answered {line[:80]!r}")
        return int(found[1]), found[2] or ""

    def variable(self, name: str) -> str | None:
        """A channel variable; None when it is not set. Raises Broken."""
        result, value = self.command("GET VARIABLE", name)
        return value if result == 1 and value else None

    def put(self, name: str, value: str) -> None:
        """Set a channel variable. Raises Broken."""
        result, _ = self.command("SET VARIABLE", name, f'"{_UNSAFE.sub("", value)[:200]}"')
        if result != 1:
            raise Broken(f"{name} was not set")

    def _line(self) -> str:
        try:
            line = self._received.readline(LONGEST_LINE)
        except OSError as error:
            raise Broken(repr(error)) from error
        if not line.endswith(b"\n"):
            raise Broken("the other side has gone")
        return line.decode("utf-8", "replace").rstrip("\r\n")


def agi(
    when: str = typer.Argument("ask", help="ask, before Dial(); done, in the h extension."),
) -> None:
    """Speak AGI on standard input and output: ask for the call, or tell how it ended.

    CALLGATE_URL (http://127.0.0.1:8000), CALLGATE_KEY (scope intents:write), CALLGATE_TIMEOUT_MS (2000) and
    CALLGATE_LEASE_SECONDS (3600: how long the call may last) come from the environment. The exit status is 0 when the
    call may go out, or its end was told, and 1 otherwise.
    """
    # The caller may hang up meanwhile, of which Asterisk tells by this signal; a channel that was taken goes back.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    channel = Channel(sys.stdin.buffer, sys.stdout.buffer)
    try:
        channel.greet()
        done = _done(channel) if when == "done" else _ask(channel) if when == "ask" else _refuse(channel)
    except Exception as error:
        print(f"callgate agi: {error!r}", file=sys.stderr)  # noqa: T201
        done = False
        if when != "done":
            _refuse(channel)
    raise typer.Exit(0 if done else 1)


def _gate(environ: Mapping[str, str]) -> StrictGate:
    milliseconds = int(environ.get("CALLGATE_TIMEOUT_MS", "2000"))
    url = environ.get("CALLGATE_URL", "http://127.0.0.1:8000")
    return StrictGate(url, environ["CALLGATE_KEY"], max(milliseconds, 1) / 1000)


def _ask(channel: Channel) -> Literal[True]:
    """Let the call through, or raise."""
    gate, seconds = _gate(os.environ), int(os.environ.get("CALLGATE_LEASE_SECONDS", "3600"))
    channel.put("CALLGATE_VERDICT", "DENY")
    intent: dict[str, Any] = {
        "type": "call",
        "to": channel.variable("CALLGATE_TO") or channel.told.get("agi_extension", ""),
        "from": channel.variable("CALLGATE_FROM") or channel.told.get("agi_callerid", ""),
        "max_duration": seconds,
    }
    for name in _VARIABLES:
        value = channel.variable(f"CALLGATE_{name.upper()}")
        if value is not None:
            intent[name] = value
    try:
        intent_id = gate.approve(intent, str(uuid.uuid4()))
    except NotApproved as refused:
        channel.put("CALLGATE_CODE", refused.code)
        channel.put("CALLGATE_REASON", str(refused))
        channel.put("CALLGATE_NEXT_ALLOWED_AT", refused.next_allowed_at)
        raise
    try:
        # The call ends before its channel can be another's.
        channel.command("SET AUTOHANGUP", str(seconds))
        channel.put("CALLGATE_INTENT", intent_id)
        channel.put("CALLGATE_VERDICT", "ALLOW")
    except Broken:
        gate.release(intent_id)
        raise
    return True


def _refuse(channel: Channel) -> Literal[False]:
    """Hang up, as far as the other side can still be reached: by the dial plan's own way first, which has a cause."""
    for words in (
        ("SET VARIABLE", "CALLGATE_VERDICT", '"DENY"'),
        ("EXEC Hangup", str(REJECTED)),
        ("HANGUP",),
    ):
        try:
            channel.command(*words)
        except (Broken, OSError, ValueError):
            continue
    return False


def _done(channel: Channel) -> bool:
    """Whether the end of the call is told, or its channel known to be back."""
    intent_id = channel.variable("CALLGATE_INTENT")
    if intent_id is None or not re.fullmatch(r"[0-9a-f-]{36}", intent_id):
        return False
    gate, outcome = _gate(os.environ), _outcome(channel)
    for _ in range(3):
        try:
            if (outcome is not None and gate.tell(intent_id, outcome)) or gate.release(intent_id):
                return True
        except OSError:
            continue
    return False


def _outcome(channel: Channel) -> dict[str, Any] | None:
    """How the call ended, by what Dial() has left on the channel; None where that says nothing."""
    result = _RESULTS.get(channel.variable("DIALSTATUS") or "")
    if result is None:
        return None
    if result != "answered":
        return {"result": result}
    if channel.variable("AMDSTATUS") == "MACHINE":
        result = "machine"
    told: dict[str, Any] = {"result": result}
    talked, dialled = channel.variable("ANSWEREDTIME"), channel.variable("DIALEDTIME")
    if talked is not None and re.fullmatch(r"\d{1,5}", talked, re.ASCII):
        told["talk_seconds"] = int(talked)
        if dialled is not None and re.fullmatch(r"\d{1,5}", dialled, re.ASCII):
            told["ring_seconds"] = max(int(dialled) - int(talked), 0)
    return told
