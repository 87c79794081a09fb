"""A dialler: an account of its own on a running service, and numbers whose calling window is open now."""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from app.clock import utc_now
from tests.service import Answer, RunningService

CALLER_ID = "+12125550100"
PRESENTED = {"kind": "express", "given_at": "2026-01-05T12:00:00Z", "evidence": "the form at the counter"}
# Places on whose clocks it is between 09:00 and 21:00 for at least one at every hour of every day, Sundays and
# holidays included, and whose law caps no attempts. Four digits are free, so that each test has its own numbers.
OPEN_SOMEWHERE = (
    "+1415555{:04d}",  # California
    "+25420255{:04d}",  # Nairobi
    "+1212555{:04d}",  # New York
    "+1808555{:04d}",  # Hawaii
    "+541143{:04d}55",  # Buenos Aires
)
_fresh = itertools.count(1000)


class Dialler:
    """One key on one service."""

    def __init__(self, service: RunningService, key: str, account_id: str = "", key_id: str = "") -> None:
        self.service, self.key, self.account_id, self.key_id = service, key, account_id, key_id

    def send(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """One request with this key."""
        return self.service.request(method, path, body, **{"key": self.key, **options})

    def post(self, path: str, body: object, **options: Any) -> Answer:
        """POST with this key."""
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: object, **options: Any) -> Answer:
        """PUT with this key."""
        return self.send("PUT", path, body, **options)

    def get(self, path: str, **options: Any) -> Answer:
        """GET with this key."""
        return self.send("GET", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        """DELETE with this key."""
        return self.send("DELETE", path, **options)

    def on(self, service: RunningService) -> Dialler:
        """The same key on another replica."""
        return Dialler(service, self.key, self.account_id, self.key_id)

    def with_key(self, *scopes: str, **fields: object) -> Dialler:
        """Another key of the account, with those scopes."""
        made = self.post("/v1/api-keys", {"name": "of a test", "scopes": list(scopes), **fields})
        assert made.status == 201, made.body
        return Dialler(self.service, made.json()["key"], self.account_id, made.json()["id"])

    def open_number(self) -> str:
        """A number that no test had before, and whose calling window stays open for a quarter of an hour."""
        for pattern in OPEN_SOMEWHERE:
            number = pattern.format(next(_fresh))
            preview = self.post("/v1/intents/preview", call(number)).json()
            window = next(check for check in preview["checks"] if check["guardrail"] == "calling_window")
            closes_at = window.get("closes_at")
            if window["outcome"] == "pass" and (
                closes_at is None or instant(closes_at) > utc_now() + timedelta(minutes=15)
            ):
                return number
        raise AssertionError("nowhere is it between 09:00 and 21:00")

    def call(self, **fields: object) -> Answer:
        """An intent to call an open number, unless `to` says another."""
        headers = fields.pop("headers", None)
        number = str(fields.pop("to", None) or self.open_number())
        return self.post("/v1/intents", call(number, **fields), headers=headers)

    def approved(self, **fields: object) -> dict[str, Any]:
        """An approved call."""
        answer = self.call(**fields)
        assert answer.status == 201, answer.body
        approval: dict[str, Any] = answer.json()
        return approval

    def pool(self, name: str = "trunk", capacity: int = 10, **fields: object) -> dict[str, Any]:
        """A pool made or changed."""
        answer = self.put(f"/v1/pools/{name}", {"capacity": capacity, **fields})
        assert answer.status in (200, 201), answer.body
        pool: dict[str, Any] = answer.json()
        return pool


def new_account(service: RunningService, **options: Any) -> Dialler:
    """A dialler with an account of its own, whose key has the scope admin."""
    made = service.post("/v1/accounts", {"name": f"account {secrets.token_hex(4)}"}, **options)
    assert made.status == 201, made.body
    return Dialler(service, made.json()["key"], made.json()["id"])


def call(to: str, **fields: object) -> dict[str, object]:
    """The body of a call's intent."""
    return {"type": "call", "to": to, "from": CALLER_ID, **fields}


def sms(to: str, **fields: object) -> dict[str, object]:
    """The body of a text's intent, which presents the consent that some places ask for; `consent=None` does not."""
    body = {
        "type": "sms",
        "to": to,
        "from": CALLER_ID,
        "body": "Your table for two is ready.",
        "consent": PRESENTED,
        **fields,
    }
    return body if body["consent"] is not None else {k: v for k, v in body.items() if k != "consent"}


def instant(text: str) -> datetime:
    """An RFC 3339 instant that ends in Z, as every instant of an answer must."""
    assert text.endswith("Z"), text
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """The instant as a request carries it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
