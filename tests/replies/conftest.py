"""An account with the six carriers in its policy."""

from __future__ import annotations

import pytest

from tests.contract.dialler import new_account
from tests.policy.account import Account
from tests.replies.carriers import Carriers
from tests.service import RunningService


@pytest.fixture
def account(gate: RunningService) -> Account:
    """An account of this test's own."""
    return Account(gate, new_account(gate).key)


@pytest.fixture
def carriers(account: Account) -> Carriers:
    """Its carriers, named in its policy."""
    made = Carriers(account.service.base_url, account.with_scopes("inbound:write").key)
    account.policy(inbound={"carriers": made.policy()})
    return made
