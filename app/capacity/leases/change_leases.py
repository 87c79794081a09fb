"""Renew, release and reconcile the leases of calls, and read what became of one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.accounts.authenticate import Caller
from app.capacity.channel_services import ChannelServices
from app.capacity.leases import store as leases
from app.capacity.leases.ledger import lease_of
from app.capacity.leases.store import Lease
from app.capacity.semaphore import Reconciliation, Renewal
from app.instants import instant_of_ms
from app.platform.outcomes import CannotDecide, Conflict, FieldFault, NotFound, Unusable

LONGEST_EXTENSION_SECONDS = 14_400


async def read_lease(services: ChannelServices, caller: Caller, lease_id: uuid.UUID) -> Lease:
    """The lease as the ledger knows it. Raises NotFound for an id that was never leased."""
    lease = await _fetch(services, caller, lease_id)
    if lease is None and await _put_back(services, caller, lease_id):
        lease = await _fetch(services, caller, lease_id)
    if lease is None:
        raise NotFound("No such lease.")
    return lease


async def _fetch(services: ChannelServices, caller: Caller, lease_id: uuid.UUID) -> Lease | None:
    return await services.database.run(
        lambda connection: leases.fetch(connection, caller.account_id, lease_id), may_run_twice=True
    )


async def _put_back(services: ChannelServices, caller: Caller, lease_id: uuid.UUID) -> bool:
    """Whether Redis holds the lease. A ledger restored from a backup does not know it; its caller does, and may go
    on to renew and release it.
    """
    account_id = str(caller.account_id)
    held = await services.semaphore.lease(account_id, str(lease_id))
    if held is None:
        return False
    await services.semaphore.outgrow(account_id, held.epoch)
    await services.database.run(
        lambda connection: leases.put_back(connection, caller.account_id, lease_of(held), held.epoch),
        may_run_twice=True,
    )
    return True


async def renew_lease(
    services: ChannelServices, caller: Caller, lease_id: uuid.UUID, wanted: int | datetime
) -> datetime:
    """The lease's new end: ``wanted`` seconds after its present one, or ``wanted`` itself; never past its hard end.

    To an instant it may be repeated, late and out of order: the end never moves back. Raises Unusable for an instant
    that no renewal by seconds could reach, Conflict when the lease has ended: its channel may belong to another call
    by now. A Redis that came back older than the lease is rebuilt from the ledger first.
    """
    lease = await read_lease(services, caller, lease_id)
    now = services.now()
    if lease.ended_at is not None:
        raise Conflict(f"The lease was {lease.ended_by} and cannot be renewed.")
    account_id, lease_text = str(caller.account_id), str(lease_id)
    now_ms = int(now.timestamp() * 1000)
    extend_by_ms, until_ms = (
        (wanted * 1000, 0) if isinstance(wanted, int) else (0, round(wanted.timestamp() * 1000))
    )
    if not isinstance(wanted, int) and lease.expires_at > now:
        _check_end(wanted, lease, now)
    counted_anew = False
    for _ in range(3):
        renewal = await services.semaphore.renew(
            account_id, lease_text, extend_by_ms, now_ms, until_ms=until_ms
        )
        if renewal.status == "unknown" and lease.expires_at > now and not counted_anew:
            # The ledger knew it to be held before Redis was asked, and Redis remembers whatever has been held.
            counted_anew = True
            await services.semaphore.recount(account_id)
            continue
        if renewal.status == "at_hard_end":
            raise Conflict("The lease has reached the longest time that a call may hold a channel.")
        if renewal.status != "renewed":
            raise Conflict("The lease has expired; its channel may belong to another call by now.")
        # Redis first: were the ledger ahead of it, a failed renewal would keep a channel that nobody holds.
        if await _note_renewal(services, caller, lease_id, renewal):
            return instant_of_ms(renewal.expires_at_ms)
        # Redis was rebuilt from the ledger in between, with the end of before; or the ledger came back older.
        await services.semaphore.outgrow(account_id, renewal.epoch)
    raise CannotDecide("the channel semaphore is being rebuilt", cause="rebuild")


def _check_end(wanted: datetime, lease: Lease, now: datetime) -> None:
    """Raises Unusable for an end in the past, or further from the lease's present one than a renewal may move it."""
    latest = lease.expires_at + timedelta(seconds=LONGEST_EXTENSION_SECONDS)
    if wanted <= now:
        raise Unusable([FieldFault("expires_at", "must be in the future", "/expires_at")])
    if wanted > latest:
        reason = f"must be at most {LONGEST_EXTENSION_SECONDS} s after the lease's present end"
        raise Unusable([FieldFault("expires_at", reason, "/expires_at")])


async def _note_renewal(
    services: ChannelServices, caller: Caller, lease_id: uuid.UUID, renewal: Renewal
) -> bool:
    """Whether the ledger took it, in the epoch in which Redis renewed."""
    return await services.database.run(
        lambda connection: leases.renew(
            connection,
            caller.account_id,
            lease_id,
            instant_of_ms(renewal.expires_at_ms),
            epoch=renewal.epoch,
            fence=renewal.fence,
        ),
        may_run_twice=True,
    )


async def release_lease(services: ChannelServices, caller: Caller, lease_id: uuid.UUID) -> None:
    """Give the channel back; harmless when repeated. Raises NotFound for an id that was never leased."""
    await read_lease(services, caller, lease_id)
    now = services.now()
    # The ledger first: were Redis to lose its memory in between, a rebuild must not bring the lease back.
    await services.database.run(
        lambda connection: leases.end(connection, caller.account_id, [lease_id], "released", now),
        may_run_twice=True,
    )
    await services.semaphore.release(str(caller.account_id), str(lease_id))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many leases were released, and which of the named ids hold no channel."""

    released: int
    unknown: tuple[str, ...]


async def reconcile_pool(
    services: ChannelServices, caller: Caller, pool: str, active: Sequence[str], listed_at: datetime
) -> Reconciled:
    """Release the pool's leases that are older than the list and not named in it."""
    now = services.now()
    # A list from the future would release what was acquired while it travelled.
    listed_at = min(listed_at, now)
    outcome: Reconciliation = await services.semaphore.reconcile(
        str(caller.account_id),
        pool,
        active,
        int(listed_at.timestamp() * 1000),
        int(now.timestamp() * 1000),
    )
    released = [uuid.UUID(lease_id) for lease_id in outcome.released]
    if released:
        await services.database.run(
            lambda connection: leases.end(connection, caller.account_id, released, "reconciled", now),
            may_run_twice=True,
        )
    return Reconciled(len(released), tuple(outcome.unknown))


async def record_expired(services: ChannelServices, account_id: uuid.UUID) -> int:
    """Note in the ledger which leases ended by their own expiry. Answers how many there were."""
    now = services.now()
    expired = await services.semaphore.drain_expired(str(account_id), int(now.timestamp() * 1000))
    if not expired:
        return 0
    ids = [uuid.UUID(lease_id) for lease_id, _ in expired]
    latest = max(instant_of_ms(at_ms) for _, at_ms in expired)
    if latest > now + timedelta(seconds=1):
        raise CannotDecide("the clocks of this process and of Redis disagree", cause="clock")
    await services.database.run(
        lambda connection: leases.end(connection, account_id, ids, "expired", latest), may_run_twice=True
    )
    return len(ids)
