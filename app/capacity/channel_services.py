"""What the verbs of channels use besides the stores."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts.account_services import AccountServices
from app.capacity.semaphore import Semaphore


@dataclass(slots=True, kw_only=True)
class ChannelServices(AccountServices):
    """The semaphore of SIP channels, and how many a pool has that nobody has set."""

    semaphore: Semaphore
    default_capacity: int
