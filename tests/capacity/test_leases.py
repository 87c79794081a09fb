"""Leases: renewed, released, reconciled, ended by expiry, and what may come late or twice."""

from __future__ import annotations

import asyncio

from app.capacity.semaphore import CapCount, Scope, Semaphore
from tests.capacity.intents import HOUR_MS, SECRET, Caller, now_ms
from tests.capacity.server import Server


async def test_release_is_harmless_twice_late_and_stale(caller: Caller) -> None:
    await caller.admit("a", limit=1)
    assert await caller.release("a")
    assert not await caller.release("a")
    await caller.admit("b", limit=1)
    assert not await caller.release("a")
    assert await caller.in_use() == 1
    assert not await caller.release("never leased")


async def test_a_release_that_overtakes_its_acquire_refuses_it(caller: Caller) -> None:
    assert not await caller.release("a")
    assert (await caller.admit("a")).status == "ended"
    assert await caller.in_use() == 0


async def test_a_released_intent_takes_no_second_channel(caller: Caller) -> None:
    await caller.admit("a")
    await caller.release("a")
    assert (await caller.admit("a")).status == "ended"


async def test_a_withdrawn_admission_leaves_nothing_and_may_be_tried_again(
    caller: Caller,
) -> None:
    await caller.admit("other")
    scopes = (Scope("pool:default", 5), Scope("campaign:x", 1))
    caps = (CapCount("a day", 1, caller.now_ms() - 24 * HOUR_MS, ("call", "sms"), 24 * HOUR_MS),)
    await caller.admit("a", scopes=scopes, caps=caps)
    assert (await caller.admit("b", scopes=scopes, caps=())).status == "full"
    await caller.semaphore.withdraw(caller.account_id, "a", "+14155551234")
    assert (await caller.admit("b", scopes=scopes, caps=caps)).status == "admitted"
    await caller.semaphore.withdraw(caller.account_id, "b", "+14155551234")
    assert (await caller.admit("a", scopes=scopes, caps=caps)).status == "admitted"
    assert await caller.in_use() == 2


async def test_a_withdrawal_does_not_undo_a_release(caller: Caller) -> None:
    await caller.admit("a")
    await caller.release("a")
    await caller.semaphore.withdraw(caller.account_id, "a", "+14155551234")
    assert (await caller.admit("a")).status == "ended"


async def test_renewals_up_to_the_hard_end(caller: Caller) -> None:
    begun = caller.now_ms()
    answer = await caller.admit("a", ttl_ms=60_000, hard_end_ms=begun + 150_000)
    first = await caller.semaphore.renew(caller.account_id, "a", 60_000, caller.now_ms())
    assert (first.status, first.expires_at_ms) == ("renewed", answer.expires_at_ms + 60_000)
    second = await caller.semaphore.renew(caller.account_id, "a", 60_000, caller.now_ms())
    assert second.status == "renewed"
    assert 0 <= second.expires_at_ms - (begun + 150_000) < 1000
    third = await caller.semaphore.renew(caller.account_id, "a", 60_000, caller.now_ms())
    assert (third.status, third.expires_at_ms) == ("at_hard_end", second.expires_at_ms)


async def test_renewal_moves_every_scope(caller: Caller) -> None:
    scopes = (Scope("pool:default", 1), Scope("account", 1), Scope("campaign:x", 1))
    await caller.admit("a", scopes=scopes, ttl_ms=200)
    await caller.semaphore.renew(caller.account_id, "a", HOUR_MS, caller.now_ms())
    await asyncio.sleep(0.3)
    for scope in scopes:
        assert (await caller.admit(scopes=(scope,))).status == "full"


async def test_a_lease_that_expired_cannot_be_renewed(caller: Caller) -> None:
    answer = await caller.admit("a", limit=1, ttl_ms=100)
    await asyncio.sleep(0.15)
    renewal = await caller.semaphore.renew(caller.account_id, "a", HOUR_MS, caller.now_ms())
    assert (renewal.status, renewal.expires_at_ms) == ("expired", answer.expires_at_ms)
    assert (await caller.admit("b", limit=1)).status == "admitted"
    assert (await caller.semaphore.renew(caller.account_id, "a", HOUR_MS, now_ms())).status == "expired"
    await caller.release("b")
    assert (await caller.semaphore.renew(caller.account_id, "b", HOUR_MS, now_ms())).status == "expired"
    assert (await caller.semaphore.renew(caller.account_id, "c", HOUR_MS, now_ms())).status == "unknown"


async def test_a_caller_whose_clock_is_behind_cannot_renew_what_another_has_counted_as_free(
    caller: Caller,
) -> None:
    """T1 the lease ends; T2 B, on time, takes its place; T3 A, 5 s behind, thinks it still lives."""
    await caller.admit("a", limit=1, ttl_ms=100)
    await asyncio.sleep(0.15)
    assert (await caller.admit("b", limit=1)).status == "admitted"
    renewal = await caller.semaphore.renew(caller.account_id, "a", HOUR_MS, caller.now_ms() - 5000)
    assert renewal.status == "expired"
    assert await caller.in_use() == 1


async def test_another_process_releases_what_it_did_not_acquire(caller: Caller, server: Server) -> None:
    """It knows neither the epoch nor the scopes: the script tells it both."""
    scopes = (Scope("pool:east", 5), Scope("account", 5), Scope("campaign:x y", 5))
    await caller.admit("a", scopes=scopes)
    other = Semaphore(server.url, timeout_ms=2000, secret=SECRET, ledger=caller.ledger)
    await other.start()
    assert await other.release(caller.account_id, "a")
    await other.close()
    names = [scope.name for scope in scopes]
    assert await caller.semaphore.usage(caller.account_id, names) == dict.fromkeys(names, 0)
    assert caller.ledger.opened == 1


async def test_reconcile_releases_what_is_older_than_the_list_and_not_named(caller: Caller) -> None:
    for each in ("a", "b", "c"):
        await caller.admit(each)
    await asyncio.sleep(0.01)
    listed_at = caller.now_ms()
    await asyncio.sleep(0.01)
    await caller.admit("newer")
    await caller.admit("elsewhere", scopes=(Scope("pool:other", 5),))
    answer = await caller.semaphore.reconcile(
        caller.account_id, "default", ["b", "never", "never"], listed_at, caller.now_ms()
    )
    assert (sorted(answer.released), answer.unknown) == (["a", "c"], ("never",))
    assert await caller.in_use() == 2
    assert await caller.in_use("pool:other") == 1


async def test_reconcile_reads_a_pool_of_any_size(caller: Caller) -> None:
    await asyncio.gather(*(caller.admit(f"i{each}", limit=5000) for each in range(2000)))
    await asyncio.sleep(0.01)
    active = [f"i{each}" for each in range(0, 2000, 2)]
    answer = await caller.semaphore.reconcile(
        caller.account_id, "pool:default", active, caller.now_ms(), caller.now_ms()
    )
    assert sorted(answer.released) == sorted(f"i{each}" for each in range(1, 2000, 2))
    assert answer.unknown == ()
    assert await caller.in_use() == 1000


async def test_ends_by_expiry_are_told_until_they_are_recorded(caller: Caller) -> None:
    first = await caller.admit("a", ttl_ms=50)
    second = await caller.admit("b", ttl_ms=100, scopes=(Scope("pool:other", 5), Scope("account", 5)))
    await caller.admit("c")
    await caller.admit("d", ttl_ms=50)
    await caller.release("d")
    await asyncio.sleep(0.15)
    await caller.admit("e")
    ended = [("a", first.expires_at_ms), ("b", second.expires_at_ms)]
    assert await caller.semaphore.expired(caller.account_id, now_ms()) == ended
    assert await caller.semaphore.expired(caller.account_id, now_ms(), ["a", "c"]) == ended[1:]
    assert await caller.semaphore.drain_expired(caller.account_id, now_ms()) == ended[1:]
    assert await caller.semaphore.drain_expired(caller.account_id, now_ms()) == []
    assert await caller.in_use() == 2


async def test_an_expiry_that_was_told_is_final(caller: Caller) -> None:
    await caller.admit("a", ttl_ms=100)
    await asyncio.sleep(0.12)
    assert len(await caller.semaphore.drain_expired(caller.account_id, now_ms())) == 1
    renewal = await caller.semaphore.renew(caller.account_id, "a", HOUR_MS, now_ms() - 5000)
    assert renewal.status == "expired"
