"""A Callgate client in one file, with nothing but the standard library: copy it and change it.

It shows the habits that a caller of Callgate needs:

- every attempt has an Idempotency-Key of its own, and a request without an answer is sent again under the same key;
- what is refused for the moment (429, 503) is asked again after Retry-After, and nothing else is;
- whatever happens, only a 201 is an approval;
- a lease is renewed while the call lives, and given back when it ends, best with how it ended: the gate counts
  abandoned calls, and keeps whoever asked not to be called from being called again.

Try it on a running Callgate:

    KEY=cg_… python examples/python_client.py http://127.0.0.1:8000 +14155551234 +12125550100
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

# Callgate answers within two seconds even when a store is down; who waits longer has lost the connection.
TIMEOUT_SECONDS = 5.0
RENEW_EVERY_SECONDS = 60.0


class Refused(Exception):
    """Callgate said no. ``problem`` is its document: `code`, `detail`, `violations`, `next_allowed_at`."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.problem = problem
        self.code = str(problem["code"])
        self.next_allowed_at = problem.get("next_allowed_at")

    @property
    def reasons(self) -> list[str]:
        """Every reason, not just the first."""
        return [str(violation["detail"]) for violation in self.problem.get("violations", [self.problem])]


class Undecided(Exception):
    """No answer could be had in the time that there was. It is not an approval: do not dial."""


class Callgate:
    """One key on one Callgate. Use it from as many threads as you like."""

    def __init__(self, url: str, key: str) -> None:
        self.address = urlsplit(url)
        self.key = key

    def approve(self, intent: Mapping[str, Any], *, patience_seconds: float = 10.0) -> dict[str, Any]:
        """The approval. Raises Refused, or Undecided when ``patience_seconds`` were not enough."""
        deadline = time.monotonic() + patience_seconds
        attempt = f'"{uuid.uuid4()}"'  # one attempt, one key; a new attempt tomorrow is a new key
        pause, crashes = 0.25, 0
        while True:
            try:
                status, headers, answer = self.request(
                    "POST", "/v1/intents", intent, {"Idempotency-Key": attempt}
                )
            except (OSError, http.client.HTTPException) as error:
                # Decided or not? Under the same key the question may safely be asked again.
                why, wait, pause = f"no answer: {error!r}", pause, pause * 2
            else:
                if status == 201:
                    return answer
                why = str(answer.get("detail", status))
                if status in (429, 503):
                    wait = float(headers.get("retry-after", 1))
                elif status == 409:  # the first request under this key is still running
                    wait = 1.0
                elif status >= 500 and crashes < 3:
                    wait, crashes = 2.0**crashes, crashes + 1
                else:
                    raise Refused(answer)
                if status == 429 and time.monotonic() + wait > deadline:
                    raise Refused(answer)
            if time.monotonic() + wait > deadline:
                raise Undecided(why)
            time.sleep(wait)

    def tell(self, intent_id: str, result: str, **more: Any) -> dict[str, Any]:
        """How an approved intent ended: answered, machine, abandoned, no_answer, busy or failed; a text is delivered,
        undelivered or failed. Its channel goes back with it. ``more``: ring_seconds, talk_seconds,
        asked_not_to_be_called. May be repeated. Raises Refused, or Undecided when nobody could take it.
        """
        why = ""
        for wait in (0.0, 0.25, 1.0, 2.0):
            time.sleep(wait)
            try:
                status, _, answer = self.request(
                    "POST", f"/v1/intents/{intent_id}/outcome", {"result": result, **more}
                )
            except (OSError, http.client.HTTPException) as error:
                why = f"no answer: {error!r}"
                continue
            if status == 200:
                return answer
            why = str(answer.get("detail", status))
            if status not in (429, 500, 503):
                raise Refused(answer)
        raise Undecided(why)

    @contextmanager
    def call(self, intent: Mapping[str, Any], **options: float) -> Iterator[dict[str, Any]]:
        """An approved call: its channel is held as long as the block runs, and given back at its end.

        Put how it ended into the approval's ``outcome`` (``{"result": "answered", "talk_seconds": 40}``), and it is
        told; without one the channel is given back all the same.
        """
        approval = self.approve(intent, **options)
        lease = f"/v1/leases/{approval['lease']['id']}"
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(lease, over), daemon=True)
        keeper.start()
        try:
            yield approval
        finally:
            over.set()
            keeper.join()
            try:
                if "outcome" in approval:
                    self.tell(approval["id"], **approval["outcome"])
                else:
                    self.request("DELETE", lease)  # may be repeated; if it fails, the lease ends by itself
            except (Undecided, OSError, http.client.HTTPException) as error:
                print(f"the channel comes back when its lease ends: {error!r}", file=sys.stderr)

    def _keep(self, lease: str, over: threading.Event) -> None:
        """Move the lease's end along with the call, a minute at a time."""
        while not over.wait(RENEW_EVERY_SECONDS):
            try:
                status, _, _ = self.request("POST", f"{lease}/renew", {"extend_by": int(RENEW_EVERY_SECONDS)})
            except (OSError, http.client.HTTPException):
                continue  # the next minute may have an answer
            if status in (404, 409):
                return  # ended; the channel may be another call's by now

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers in lower case, and the JSON that was answered, if any."""
        kind = http.client.HTTPSConnection if self.address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.address.hostname or "", self.address.port, timeout=TIMEOUT_SECONDS)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            text = response.read()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return response.status, answered, json.loads(text) if text else {}
        finally:
            connection.close()


def main() -> int:
    """Ask for one call, hold its channel for a second, give it back. The exit status tells the verdict."""
    url, to, sender = sys.argv[1:4]
    intent = {"type": "call", "to": to, "from": sender, "max_duration": 120}
    try:
        with Callgate(url, os.environ["KEY"]).call(intent) as approval:
            print(f"approved: channel {approval['lease']['in_use']} of {approval['lease']['capacity']}")
            time.sleep(1)  # here the call would be
            approval["outcome"] = {"result": "answered", "talk_seconds": 1}
    except Refused as refused:
        print(f"refused, {refused.code}: " + " ".join(refused.reasons))
        if refused.next_allowed_at:
            print(f"the window opens at {refused.next_allowed_at}")
        return 1
    except Undecided as undecided:
        print(f"not approved, since nobody could decide: {undecided}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
