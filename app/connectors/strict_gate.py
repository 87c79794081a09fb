"""A gate that is asked over HTTP by a program beside the switch: only a whole, fresh approval of this very call counts.

With the standard library alone, so that a dial plan does not wait for imports. Everything that is not such an approval
is NotApproved: no answer, a late one, another status, a body that is cut off or speaks of another call.
"""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 1 << 20
UNAVAILABLE = "SERVICE_UNAVAILABLE"


class NotApproved(Exception):
    """Nobody approved. ``code`` is the problem's, as DNC_BLOCKED; UNAVAILABLE where there was no sound answer."""

    def __init__(self, code: str, detail: str, next_allowed_at: str = "") -> None:
        super().__init__(detail)
        self.code, self.next_allowed_at = code, next_allowed_at


class StrictGate:
    """One gate, by its address and key; each request opens a connection of its own and ends within the deadline."""

    def __init__(self, url: str, key: str, timeout_seconds: float) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("CALLGATE_URL must be http://… or https://…")
        self._address, self._key, self._timeout = address, key, timeout_seconds

    def approve(self, intent: Mapping[str, Any], key: str) -> str:
        """The id of the intent, approved for this call. ``key`` is this attempt's alone. Raises NotApproved."""
        fields = {"Idempotency-Key": f'"{key}"'}
        try:
            with _deadline(self._timeout):
                status, headers, body = self._request("POST", "/v1/intents", intent, fields)
                again = False
                while status == 409:
                    # The answer to the first try may be under way still; the deadline ends this.
                    time.sleep(0.1)
                    status, headers, body = self._request("POST", "/v1/intents", intent, fields)
                    again = True
        except (OSError, http.client.HTTPException) as error:
            raise NotApproved(UNAVAILABLE, f"no answer: {error!r}") from error
        members = _members(headers, body, "application/json" if status == 201 else "application/problem+json")
        if status != 201:
            code, detail = members.get("code"), members.get("detail")
            raise NotApproved(
                code if isinstance(code, str) else UNAVAILABLE,
                detail if isinstance(detail, str) else f"answered {status}",
                str(members.get("next_allowed_at") or ""),
            )
        if headers.get("idempotent-replayed") and not again:
            raise NotApproved(UNAVAILABLE, "an approval of somebody else's was answered")
        _check(members, intent)
        return str(members["id"])

    def tell(self, intent_id: str, outcome: Mapping[str, Any]) -> bool:
        """Tell how the call ended; False when that was not taken, for whatever reason. Raises OSError."""
        with _deadline(self._timeout):
            status, _, _ = self._request("POST", f"/v1/intents/{intent_id}/outcome", outcome, {})
        return status == 200

    def release(self, intent_id: str) -> bool:
        """Give the channel back; False when it is not known to be. Raises OSError."""
        with _deadline(self._timeout):
            status, _, _ = self._request("DELETE", f"/v1/leases/{intent_id}", None, {})
        return status in (204, 404)

    def _request(
        self, method: str, path: str, document: Mapping[str, Any] | None, fields: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Authorization": f"Bearer {self._key}", "User-Agent": "callgate-agi", **fields}
        data = None if document is None else json.dumps(document).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        host, port = self._address.hostname or "", self._address.port
        connection: http.client.HTTPConnection
        if self._address.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        try:
            connection.request(method, self._address.path.rstrip("/") + path, data, sent)
            response = connection.getresponse()
            body = response.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                raise http.client.HTTPException("the answer is too long")
            if response.length:  # what was announced and did not come
                raise http.client.IncompleteRead(body, response.length)
            return response.status, {name.lower(): value for name, value in response.getheaders()}, body
        finally:
            connection.close()


def _members(headers: Mapping[str, str], body: bytes, media_type: str) -> dict[str, Any]:
    """The members of a JSON object of that media type; none for anything else."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check(members: Mapping[str, Any], intent: Mapping[str, Any]) -> None:
    """Whether an approval is one, and of this call. Raises NotApproved."""
    lease = members.get("lease")
    wanted = {name: intent[name] for name in ("type", "to", "from")} | {"verdict": "approved"}
    if {name: members.get(name) for name in wanted} != wanted or not isinstance(lease, dict):
        raise NotApproved(UNAVAILABLE, "the answer is no approval of this call")
    if not isinstance(members.get("id"), str) or lease.get("id") != members["id"]:
        raise NotApproved(UNAVAILABLE, "the approval names no channel")
    try:
        ends = datetime.fromisoformat(str(lease.get("expires_at")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        ends = 0.0
    if ends <= time.time():
        raise NotApproved(UNAVAILABLE, "the channel of the approval has ended")


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds, however slowly an answer drips in."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer in {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
