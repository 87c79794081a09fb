"""What one process remembers of accounts: never the truth, only what makes asking quick and safe."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

_ACCOUNTS = 16384
_SCOPES = 64


@dataclass(slots=True)
class AccountMemory:
    """Of one account: the newest epoch and fence seen, and the scopes in use, by their plain names."""

    epoch: int = 0
    fence: int = 0
    scopes: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def uses(self, name: str) -> None:
        """The scope is remembered from now on."""
        self.scopes[name] = None
        self.scopes.move_to_end(name)
        if len(self.scopes) > _SCOPES:
            self.scopes.popitem(last=False)

    def saw(self, epoch: int, fence: int) -> None:
        """Fences grow over epochs too, so the greatest is the newest."""
        self.epoch = max(self.epoch, epoch)
        self.fence = max(self.fence, fence)

    def begin_anew(self, epoch: int, fence: int) -> None:
        """Redis was rebuilt in that epoch. What was seen of later ones is of a life that both stores have forgotten:
        Redis was emptied and the ledger restored from a backup."""
        self.epoch, self.fence = epoch, fence


class Memory:
    """Bounded: an account that is forgotten is merely learnt again."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, AccountMemory] = OrderedDict()

    def of(self, account_id: str) -> AccountMemory:
        """The account's memory, made when there is none."""
        known = self._accounts.get(account_id)
        if known is None:
            known = self._accounts[account_id] = AccountMemory()
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(account_id)
        return known
