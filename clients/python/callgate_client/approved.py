"""What was approved, and the call that is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from callgate_client.models import ApprovalDocument
from callgate_client.reading import instant_of

Result = Literal[
    "answered", "machine", "abandoned", "no_answer", "busy", "failed", "delivered", "undelivered"
]


@dataclass(frozen=True)
class Approval:
    """A 201. ``document`` is the whole of it, with every check."""

    document: ApprovalDocument

    @property
    def id(self) -> str:
        """The intent's id, under which the decision is on record."""
        return self.document["id"]

    @property
    def lease_id(self) -> str | None:
        """The channel's lease; None for a text."""
        lease = self.document.get("lease")
        return lease["id"] if lease else None

    @property
    def expires_at(self) -> datetime | None:
        """When the channel would come back by itself; None for a text."""
        lease = self.document.get("lease")
        return instant_of(lease["expires_at"]) if lease else None

    @property
    def warnings(self) -> list[Mapping[str, Any]]:
        """What was found in a text and does not block it."""
        checks: list[Mapping[str, Any]] = [dict(check) for check in self.document.get("checks") or []]
        return [finding for check in checks for finding in check.get("warnings") or []]


class Call:
    """An approved call whose channel is held until the block ends."""

    def __init__(self, approval: Approval) -> None:
        self.approval = approval
        self.ending: tuple[Result, dict[str, Any]] | None = None
        self.lost = False

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.approval.id

    @property
    def held(self) -> bool:
        """False once Callgate has said that the lease is over: its channel may be another call's by now."""
        return not self.lost

    def outcome(
        self,
        result: Result,
        *,
        ring_seconds: float | None = None,
        talk_seconds: float | None = None,
        asked_not_to_be_called: bool = False,
    ) -> None:
        """How the call ended. Told when the block ends, however it ends; the last one counts."""
        self.ending = result, details_of(ring_seconds, talk_seconds, asked_not_to_be_called)


def details_of(
    ring_seconds: float | None, talk_seconds: float | None, asked_not_to_be_called: bool
) -> dict[str, Any]:
    """What an outcome carries beside its result, without what was not said."""
    details: dict[str, Any] = {"ring_seconds": ring_seconds, "talk_seconds": talk_seconds}
    details = {name: value for name, value in details.items() if value is not None}
    return details | ({"asked_not_to_be_called": True} if asked_not_to_be_called else {})
