"""What the verbs of outcomes use besides the stores."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from uuid import UUID

from app.capacity.channel_services import ChannelServices
from app.outcomes.store import DecidedIntent


@dataclass(slots=True, kw_only=True)
class OutcomeServices(ChannelServices):
    """Decisions of old months lie in files, which the room of intents alone can read."""

    @abstractmethod
    async def archived_intent(self, account_id: UUID, intent_id: UUID) -> DecidedIntent | None:
        """The account's decision of a month that is in a file, or None. Raises ArchiveUnavailable."""
