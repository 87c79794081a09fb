"""One running service for the folder, and an account of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policy.account import Account
from tests.servers import Servers
from tests.service import RunningService


@pytest.fixture(scope="module")
def office(servers: Servers, module_database_url: str) -> Iterator[RunningService]:
    """A service that the tests of a module share."""
    with RunningService({"database_url": module_database_url, "redis_url": servers.redis_url}) as running:
        yield running


@pytest.fixture
def operator(office: RunningService) -> Account:
    """The first account, by its bootstrap key."""
    return Account(office, office.key)


@pytest.fixture
def account(operator: Account) -> Account:
    """An account that no other test knows."""
    made = operator.send("POST", "/v1/accounts", {"name": "of a test"})
    assert made.status == 201, made.body
    return Account(operator.service, made.json()["key"])
