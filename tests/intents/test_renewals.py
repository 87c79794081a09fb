"""Renewals and rebuilds: what was promised is in the ledger, whatever Redis forgets and whenever it is rebuilt."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.accounts.authenticate import hash_of
from app.accounts.identify import identify
from app.capacity.leases import change_leases
from app.capacity.leases import store as leases
from app.capacity.leases.change_leases import renew_lease
from app.clock import utc_now
from app.intents.services import RuleSet
from app.main import equip
from app.settings import Settings
from tests.intents.conftest import KEY, Decider
from tests.intents.test_commit import rows
from tests.servers import Servers


async def approved(decider: Decider) -> uuid.UUID:
    """A call that holds a channel."""
    answer = await decider.decide()
    assert answer.status == 201
    (lease,) = await rows(
        decider, "SELECT id FROM leases WHERE ended_at IS NULL ORDER BY acquired_at DESC LIMIT 1"
    )
    found: uuid.UUID = lease["id"]
    return found


async def held_until_ms(decider: Decider, lease_id: uuid.UUID) -> int:
    """The end of the lease as Redis has it: what a renewal by a millisecond adds one to."""
    account, now_ms = str(decider.caller.account_id), int(utc_now().timestamp() * 1000)
    renewal = await decider.services.semaphore.renew(account, str(lease_id), 1, now_ms)
    assert renewal.status == "renewed"
    return renewal.expires_at_ms - 1


async def test_a_redis_that_forgot_a_renewal_is_rebuilt_from_the_ledger(
    decider: Decider, servers: Servers
) -> None:
    """As after a failover to a replica that lagged: everything is there but the last renewal."""
    lease_id = await approved(decider)
    client = servers.redis_client()
    before = {key: client.dump(key) for key in client.keys("*")}
    renewed = await renew_lease(decider.services, decider.caller, lease_id, 600)
    client.flushdb()
    for key, value in before.items():
        assert value is not None
        client.restore(key, 3_600_000, value)
    client.close()
    # The next decision, or look at the pool, sees by the fence that something is missing.
    await decider.decide()
    assert abs(await held_until_ms(decider, lease_id) - renewed.timestamp() * 1000) < 1


async def test_a_lease_that_redis_forgot_is_renewed_by_a_process_that_never_knew_of_it(
    decider: Decider, servers: Servers, database_url: str, redis_url: str, rule_set: RuleSet
) -> None:
    """As after a start from an older copy: nothing tells this process how far Redis has been, but the ledger."""
    await approved(decider)
    client = servers.redis_client()
    before = {key: client.dump(key) for key in client.keys("*")}
    forgotten = await approved(decider)
    client.flushdb()
    for key, value in before.items():
        assert value is not None
        client.restore(key, 3_600_000, value)
    client.close()
    settings = Settings.from_environ({"CALLGATE_REDIS_TIMEOUT_MS": "1500"})
    other = replace(decider, services=await equip(settings, rule_set, database_url, redis_url))
    renewed = await renew_lease(other.services, other.caller, forgotten, 600)
    assert abs(await held_until_ms(other, forgotten) - renewed.timestamp() * 1000) < 1
    assert await other.in_use() == 2
    await other.services.semaphore.close()
    await other.services.database.close()


async def test_a_rebuild_in_the_middle_of_a_renewal_does_not_lose_it(
    decider: Decider, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease_id = await approved(decider)
    note, account = change_leases._note_renewal, str(decider.caller.account_id)
    interposed = 0

    async def rebuilt_first(*given: object) -> bool:
        nonlocal interposed
        interposed += 1
        if interposed == 1:
            await decider.services.semaphore.recount(account)
        return await note(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(change_leases, "_note_renewal", rebuilt_first)
    renewed = await renew_lease(decider.services, decider.caller, lease_id, 600)
    assert interposed == 2
    assert abs(await held_until_ms(decider, lease_id) - renewed.timestamp() * 1000) < 1
    (ledger,) = await rows(decider, f"SELECT expires_at FROM leases WHERE id = '{lease_id}'")
    assert ledger["expires_at"] == renewed


async def test_a_clock_that_is_ahead_ends_no_lease_of_others(decider: Decider) -> None:
    """Neither the rebuilding process's nor that of whoever was approved last."""
    lease_id, account = await approved(decider), decider.caller.account_id
    ahead = utc_now() + timedelta(hours=2)
    async with decider.services.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO leases (id, account_id, pool, scopes, acquired_at, expires_at, hard_end_at)"
                " SELECT gen_random_uuid(), account_id, pool, scopes, :ahead, :later, :later FROM leases"
            ),
            {"ahead": ahead, "later": ahead + timedelta(hours=1)},
        )
        _, live = await leases.open_epoch(connection, account, ahead)
    assert lease_id in {lease.id for lease in live}
    assert len(live) == 2
    assert (await identify(decider.services, hash_of(KEY), utc_now())).account_id == account
