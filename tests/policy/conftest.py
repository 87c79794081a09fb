"""An account of its own for each test on the shared service."""

from __future__ import annotations

import pytest

from tests.policy.account import Account
from tests.service import RunningService


@pytest.fixture
def operator(gate: RunningService) -> Account:
    """The first account, by its bootstrap key."""
    return Account(gate, gate.key)


@pytest.fixture
def account(operator: Account) -> Account:
    """An account that no other test knows."""
    made = operator.send("POST", "/v1/accounts", {"name": "of a test"})
    assert made.status == 201, made.body
    return Account(operator.service, made.json()["key"])
