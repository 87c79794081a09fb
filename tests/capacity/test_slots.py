"""All keys of an account, so all keys of one script, are in one slot of a Cluster; accounts spread over the slots."""

from __future__ import annotations

import inspect
import uuid

import pytest
from redis.crc import key_slot

from app.capacity.semaphore.keys import Keys
from tests.capacity.intents import SECRET

KEYS = Keys("cg", SECRET)
# A value for each parameter that a key may be named by; one that hash tags could be put into where it is a name.
VALUES: dict[str, object] = {
    "lease_id": "01a2{x}b",
    "epoch": 7,
    "name": "campaign:{other} x",
    "reserve": 2,
    "destination": "+14155551234",
    "key_id": "k{1}",
    "api_class": "calls",
    "digest": "d00d",
    "quarter": 1_900_000,
}
OF_ACCOUNT = [
    name
    for name, method in inspect.getmembers(Keys, inspect.isfunction)
    if "account_id" in inspect.signature(method).parameters
]


def named(method: str, account_id: str) -> list[str]:
    """The keys that a method names for an account."""
    parameters = list(inspect.signature(getattr(Keys, method)).parameters)[1:]
    found = getattr(KEYS, method)(
        *(account_id if each == "account_id" else VALUES[each] for each in parameters)
    )
    return [found] if isinstance(found, str) else list(found)


@pytest.mark.parametrize("method", OF_ACCOUNT)
def test_a_key_stands_in_the_slot_of_its_account(method: str) -> None:
    for _ in range(20):
        account_id = str(uuid.uuid4())
        for key in named(method, account_id):
            assert key_slot(key.encode()) == key_slot(account_id.encode()), key


def test_every_kind_of_key_is_of_an_account_but_the_probe() -> None:
    """What is no key (a ticket, a subject) takes no account; one more kind has to be looked at here."""
    others = {
        name
        for name, method in inspect.getmembers(Keys, inspect.isfunction)
        if name not in OF_ACCOUNT and not name.startswith("__")
    }
    assert others == {"probe", "ticket", "subject"}


def test_a_name_with_a_hash_tag_moves_no_account() -> None:
    """Names come from callers: braces in them are taken out of the way, so that they never choose the slot."""
    assert "{x}" not in KEYS.record("a", "01a2{x}b")
    assert key_slot(KEYS.pace("{b}", "n").encode()) == key_slot(b"%7Bb%7D")


def test_accounts_spread_over_three_masters() -> None:
    masters = [key_slot(str(uuid.uuid4()).encode()) * 3 // 16384 for _ in range(3000)]
    assert all(850 < masters.count(each) < 1150 for each in range(3))
