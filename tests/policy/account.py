"""An account on a running service, and an instant whose weekday and hour are known everywhere."""

from __future__ import annotations

from typing import Any

from tests.contract.dialler import PRESENTED
from tests.service import Answer, RunningService

FRANCISCO, ORLEANS, UTAH = "+14155551234", "+15045551234", "+18015551234"
CALLER_ID = "+12125550100"
# An ordinary Tuesday: no state's holiday, every clock of the country in winter time.
TUESDAY = "2028-02-08"
MORNING = f"{TUESDAY}T18:00:00Z"  # 10:00 in San Francisco, 12:00 in New Orleans


class Account:
    """One key on one service."""

    def __init__(self, service: RunningService, key: str) -> None:
        self.service, self.key = service, key

    def send(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """One request with this key."""
        return self.service.request(method, path, body, **{"key": self.key, **options})

    def get(self, path: str, **options: Any) -> Answer:
        """GET with this key."""
        return self.send("GET", path, **options)

    def put(self, path: str, body: object) -> Answer:
        """PUT with this key."""
        return self.send("PUT", path, body)

    def with_scopes(self, *scopes: str) -> Account:
        """The same account by a key of these scopes."""
        made = self.send("POST", "/v1/api-keys", {"name": "narrow", "scopes": list(scopes)})
        assert made.status == 201, made.body
        return Account(self.service, made.json()["key"])

    def policy(self, **members: object) -> dict[str, Any]:
        """Replace the policy."""
        answer = self.put("/v1/policy", members)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.json()
        return document

    def preview(self, to: str = FRANCISCO, at: str = MORNING, **fields: object) -> dict[str, Any]:
        """The preview of a call, or of a text where a body is given, which presents a consent unless told otherwise."""
        kind = "sms" if "body" in fields else "call"
        if kind == "sms":
            fields.setdefault("consent", PRESENTED)
        body = {"type": kind, "to": to, "from": CALLER_ID, "at": at, **fields}
        answer = self.send("POST", "/v1/intents/preview", body)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.json()
        return document

    def codes(self, **fields: Any) -> list[str]:
        """The codes of a preview's violations."""
        return [violation["code"] for violation in self.preview(**fields)["violations"]]

    def inbound(self, body: str, sender: str = FRANCISCO) -> dict[str, Any]:
        """Hand in a message; what it was taken for."""
        message = {"from": sender, "to": CALLER_ID, "body": body}
        answer = self.send("POST", "/v1/inbound-messages", message)
        assert answer.status == 200, answer.body
        document: dict[str, Any] = answer.json()
        return document

    def entries(self, number: str = FRANCISCO) -> dict[str, str]:
        """The number's entries on the list: channel to source."""
        answer = self.get(f"/v1/suppressions/{number}")
        if answer.status == 404:
            return {}
        return {entry["channel"]: entry["source"] for entry in answer.json()["entries"]}


def reasons(answer: Answer, status: int) -> dict[str, str]:
    """The faults of a refused request: field to reason."""
    assert answer.status == status, answer.body
    return {fault["field"]: fault["reason"] for fault in answer.json()["errors"]}
