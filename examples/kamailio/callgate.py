"""What kamailio.cfg asks of Callgate over HTTP: ask, renew, tell how the call ended or release, reconcile.

Kamailio runs this file inside its own processes (app_python3), and each process that asks keeps one connection
open. Debian's Kamailio 5.6 has no HTTP client of its own that can send a DELETE, read a Retry-After or wait for
less than a second, which is why the requests are made here. Results go back in $var(…).

The environment: CALLGATE_URL (http://127.0.0.1:8000), CALLGATE_KEY (scopes intents:write and intents:read, and
pools:write to reconcile), CALLGATE_TIMEOUT_MS (1000; for one question, all attempts together) and
CALLGATE_LEASE_SECONDS (120; 30 to 14400), which is how long a channel stays taken after this switch has died.
"""

import http.client
import json
import os
import re
import ssl
import time
from datetime import datetime
from urllib.parse import urlsplit

import KSR

REASONS = {
    "dnc-blocked": "DNC Blocked",
    "consent-required": "Consent Required",
    "tcpa-blocked": "TCPA Blocked",
    "frequency-capped": "Frequency Capped",
    "abandonment-exceeded": "Abandonment Exceeded",
    "channel-budget-exceeded": "Channel Budget Exceeded",
    "rate-limited": "Too Many Calls",
}
# How a call can have ended; what the switch cannot say of it is told by DELETE of its lease.
RESULTS = ("answered", "machine", "abandoned", "no_answer", "busy", "failed")
DEFAULT_RETRY_SECONDS = 5
LONGEST_RETRY_SECONDS = 3600
# A question that waited longer than this for a free process is answered 503 without being asked.
PATIENCE_SECONDS = 3


class PendingCompensation(Exception):
    """Callgate could not be asked in time."""


class Answer:
    """Status, header fields and JSON members of one response; no members when the body is no JSON object."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        try:
            members = json.loads(body) if body else {}
        except ValueError:
            members = {}
        self.members = members if isinstance(members, dict) else {}

    @property
    def slug(self):
        """The last part of the problem's type: `dnc-blocked`."""
        return str(self.members.get("type", "")).rpartition("/")[2]

    @property
    def retry_seconds(self):
        """What Retry-After says, within an hour; a few seconds when it says nothing."""
        text = self.headers.get("Retry-After", "")
        seconds = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else DEFAULT_RETRY_SECONDS
        return min(max(seconds, 1), LONGEST_RETRY_SECONDS)


class Callgate:
    """One process's connection to Callgate, opened when it is first needed and again when it was closed."""

    def __init__(self, environ):
        url = urlsplit(environ.get("CALLGATE_URL", "http://127.0.0.1:8000"))
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("CALLGATE_URL must be http://… or https://…")
        self.address = (url.hostname, url.port)
        self.prefix = url.path.rstrip("/")
        self.tls = ssl.create_default_context() if url.scheme == "https" else None
        self.key = environ["CALLGATE_KEY"]
        self.timeout_seconds = int(environ.get("CALLGATE_TIMEOUT_MS", "1000")) / 1000
        self.lease_seconds = int(environ.get("CALLGATE_LEASE_SECONDS", "120"))
        if not 30 <= self.lease_seconds <= 14400:
            raise ValueError("CALLGATE_LEASE_SECONDS must be 30 to 14400")
        self.connection = None

    def request(self, method, path, body=None, headers=None, deadline=None):
        """The answer before the deadline (of time.monotonic()). A connection that Callgate has closed
        meanwhile is opened again, once; every request here may be sent twice. Raises PendingCompensation."""
        deadline = deadline or time.monotonic() + self.timeout_seconds
        fields = {"Authorization": f"Bearer {self.key}", "User-Agent": "kamailio-callgate", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            fields["Content-Type"] = "application/json"
        for attempt in (1, 2):
            try:
                return self._once(method, self.prefix + path, data, fields, deadline)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 2 or isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                    raise PendingCompensation(f"{method} {path}: {error!r}") from error
        raise AssertionError("unreachable")

    def _once(self, method, path, data, fields, deadline):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no time left")
        if self.connection is None:
            kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
            extra = {"context": self.tls} if self.tls else {}
            self.connection = kind(*self.address, timeout=remaining, **extra)
        elif self.connection.sock is not None:
            self.connection.sock.settimeout(remaining)
        self.connection.request(method, path, data, fields)
        response = self.connection.getresponse()
        return Answer(response, response.read())

    def close(self):
        """Forget the connection; the next request opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Refusal(Exception):
    """Status, reason phrase and header fields of the SIP response that refuses the call."""

    def __init__(self, status, reason, fields=None):
        super().__init__(status, reason)
        self.status, self.reason, self.fields = status, reason, fields or {}


def unavailable(retry_seconds=DEFAULT_RETRY_SECONDS):
    """The answer to whatever is not understood. No 5xx, on which a caller would try the next gateway."""
    return Refusal(480, "Temporarily Unavailable", {"Retry-After": retry_seconds})


def refusal(answer):
    """The SIP response that says what the problem document says.

    What is refused about the person is 603, after which nobody may try another way (RFC 3261, 16.7). When the window
    opens has a field of our own.
    """
    slug, members = answer.slug, answer.members
    fields = {"X-Callgate-Code": members.get("code"), "X-Callgate-Intent": members.get("intent_id")}
    if answer.status == 403 and slug in (
        "dnc-blocked",
        "consent-required",
        "tcpa-blocked",
        "frequency-capped",
        "abandonment-exceeded",
    ):
        fields["X-Callgate-Next-Allowed-At"] = members.get("next_allowed_at")
        return Refusal(603, REASONS[slug], fields)
    if answer.status == 429 and slug in ("channel-budget-exceeded", "rate-limited"):
        return Refusal(480, REASONS[slug], {**fields, "Retry-After": answer.retry_seconds})
    if answer.status in (400, 422) and slug in ("bad-request", "validation-error"):
        faults = members.get("errors")
        named = {fault.get("field") for fault in faults} if isinstance(faults, list) else set()
        if named == {"to"}:
            return Refusal(484, "Address Incomplete", fields)
        return Refusal(400, "Bad Caller Id" if named == {"from"} else "Bad Request", fields)
    # A wrong key, a scope that lacks, a server's error: nothing that the caller could mend or should be told.
    return unavailable(answer.retry_seconds)


def epoch_seconds(instant):
    """An RFC 3339 instant in UTC as seconds since 1970."""
    return int(datetime.fromisoformat(instant.replace("Z", "+00:00")).timestamp())


def header(name):
    """The first header field of that name in the INVITE, or None."""
    return KSR.pv.get(f"$hdr({name})") or None


class Connector:
    """The functions that kamailio.cfg calls, one object per process."""

    def __init__(self, environ):
        self.callgate = Callgate(environ)

    def child_init(self, rank):
        """A connection must not be shared with the process that this one was forked from."""
        self.callgate.connection = None
        return 0

    def intent(self, message):
        """Sets $var(task), from which another process can ask; runs where the INVITE is."""
        intent = {
            "type": "call",
            "to": KSR.pv.get("$rU"),
            "from": KSR.pv.get("$avp(caller)") or "",
            "max_duration": self.callgate.lease_seconds,
            "pool": header("X-Callgate-Pool"),
            "campaign": header("X-Callgate-Campaign"),
            "purpose": header("X-Callgate-Purpose"),
        }
        task = {
            "index": KSR.pv.get("$T(id_index)"),
            "label": KSR.pv.get("$T(id_label)"),
            "key": KSR.pv.get("$avp(key)"),
            "at": time.monotonic(),
            "body": {name: value for name, value in intent.items() if value is not None},
        }
        KSR.pv.sets("$var(task)", json.dumps(task))
        return 1

    def ask(self, message, task):
        """Sets $var(index) and $var(label) of the transaction; $var(status), $var(reason) and $var(fields) of
        the response; and, on approval, $var(lease) and $var(expires_at)."""
        task = json.loads(task)
        KSR.pv.seti("$var(index)", task["index"])
        KSR.pv.seti("$var(label)", task["label"])
        try:
            lease_id, expires_at = self._approval(task)
        except Refusal as refused:
            status, reason, fields = refused.status, refused.reason, refused.fields
        except Exception as error:
            KSR.err(f"callgate: {error!r}\n")
            wrong = unavailable()
            status, reason, fields = wrong.status, wrong.reason, wrong.fields
        else:
            status, reason, fields = 201, "Approved", {}
            KSR.pv.sets("$var(lease)", lease_id)
            KSR.pv.seti("$var(expires_at)", expires_at)
        KSR.pv.seti("$var(status)", status)
        KSR.pv.sets("$var(reason)", reason)
        # What a field holds comes from Callgate, yet no character of it may begin another field.
        lines = (
            f"{name}: {re.sub(r'[^ -~]', '', str(value))}\r\n" for name, value in fields.items() if value
        )
        KSR.pv.sets("$var(fields)", "".join(lines))
        return 1

    def _approval(self, task):
        if time.monotonic() - task["at"] > PATIENCE_SECONDS:
            raise unavailable()
        body = task["body"]
        if body.get("purpose") == "emergency":
            raise Refusal(400, "Bad Request")
        headers = {"Idempotency-Key": f'"{task["key"]}"'}
        deadline = time.monotonic() + self.callgate.timeout_seconds
        answer = self.callgate.request("POST", "/v1/intents", body, headers, deadline)
        while answer.status == 409 and time.monotonic() + 0.1 < deadline:
            # The same INVITE is being decided on behalf of another proxy: its answer is ours as well.
            time.sleep(0.1)
            answer = self.callgate.request("POST", "/v1/intents", body, headers, deadline)
        if answer.status != 201:
            raise refusal(answer)
        lease = self._checked(answer, body)
        if answer.headers.get("Idempotent-Replayed") == "true":
            # An approval that was used up: its call is over and its channel given back.
            held = self.callgate.request("GET", f"/v1/leases/{lease['id']}", deadline=deadline)
            if held.status != 200 or held.members.get("state") != "held":
                raise Refusal(400, "Call Identifier Used Before")
        return lease["id"], epoch_seconds(lease["expires_at"])

    @staticmethod
    def _checked(answer, body):
        """The lease of an approval that is whole, of this very call, and not over. Raises Refusal."""
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        members, lease = answer.members, answer.members.get("lease")
        wanted = {"type": "call", "verdict": "approved", "to": body["to"], "from": body["from"]}
        if (
            media_type != "application/json"
            or {name: members.get(name) for name in wanted} != wanted
            or not isinstance(lease, dict)
            or not lease.get("id")
            or lease["id"] != members.get("id")
            or epoch_seconds(str(lease.get("expires_at"))) <= time.time()
        ):
            raise unavailable()
        return lease

    def renewal_margin(self, message):
        """Sets $var(margin): a lease with fewer seconds left is due. A third of its time is spent by then, so
        that two thirds remain for trying again."""
        KSR.pv.seti("$var(margin)", self.callgate.lease_seconds * 2 // 3)
        return 1

    def renew(self, message, lease_id):
        """Moves the lease's end to its full length from now and sets $var(expires_at); sets $var(lost) to 1
        when it has ended. Neither when Callgate does not answer: the next round tries again."""
        try:
            missing = int(time.time()) + self.callgate.lease_seconds - int(KSR.pv.get("$var(expires_at)"))
            body = {"extend_by": min(max(missing, 1), 14400)}
            answer = self.callgate.request("POST", f"/v1/leases/{lease_id}/renew", body)
            if answer.status == 200:
                KSR.pv.seti("$var(expires_at)", epoch_seconds(answer.members["expires_at"]))
            elif answer.status in (404, 409):
                KSR.pv.seti("$var(lost)", 1)
            else:
                KSR.warn(f"callgate: renewing {lease_id} was answered {answer.status}\n")
        except Exception as error:
            KSR.warn(f"callgate: {error!r}\n")
        return 1

    def release(self, message, task):
        """Sets $var(done) to 1 once the channel is known to be back. The task: the lease, and after a bar each how the
        call ended and how many seconds it lasted, where that is known."""
        try:
            lease_id, result, seconds = (task + "||").split("|")[:3]
            if result in RESULTS and self._told(lease_id, result, seconds):
                KSR.pv.seti("$var(done)", 1)
                return 1
            answer = self.callgate.request("DELETE", f"/v1/leases/{lease_id}")
            if answer.status in (204, 404):
                KSR.pv.seti("$var(done)", 1)
            else:
                KSR.warn(f"callgate: releasing {lease_id} was answered {answer.status}\n")
        except Exception as error:
            KSR.warn(f"callgate: {error!r}\n")
        return 1

    def _told(self, lease_id, result, seconds):
        """Whether Callgate took the outcome, and with it the channel; the lease has the intent's id. False when it
        will never take it, and then the lease is released without."""
        body = {"result": result}
        if result in ("answered", "machine", "abandoned") and re.fullmatch(r"[0-9]{1,5}", seconds):
            body["talk_seconds"] = min(int(seconds), 86400)
        answer = self.callgate.request("POST", f"/v1/intents/{lease_id}/outcome", body)
        if answer.status not in (200, 400, 403, 404, 409, 422):
            raise PendingCompensation(f"the outcome of {lease_id} was answered {answer.status}")
        return answer.status == 200

    def reconcile(self, message, pool):
        """Tells Callgate that this switch carries no call, and sets $var(done) to 1 when it knows."""
        try:
            answer = self.callgate.request("POST", f"/v1/pools/{pool}/reconcile", {"active": []})
            if answer.status == 200:
                KSR.pv.seti("$var(done)", 1)
            else:
                KSR.warn(f"callgate: reconciling {pool} was answered {answer.status}\n")
        except Exception as error:
            KSR.warn(f"callgate: {error!r}\n")
        return 1


def mod_init():
    """What Kamailio calls first."""
    return Connector(os.environ)
