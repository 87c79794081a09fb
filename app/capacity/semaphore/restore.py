"""Writes what the ledger knows into a new epoch, after Redis has lost its memory; and reads what only Redis knows,
after the ledger has.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from app.capacity.semaphore.keys import Keys, plain
from app.capacity.semaphore.requests import Ledger, LiveLease, Rebuild
from app.capacity.semaphore.scripts import HOLDINGS, REBUILD
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.router import RedisRouter
from app.telemetry import REBUILDS

log = logging.getLogger("callgate.channels")

_SLICE = 500
# Fences of an epoch begin here and grow by one per admission, so that they grow over epochs too.
FENCES_PER_EPOCH = 2**32


@dataclass(frozen=True, slots=True)
class Restored:
    """What is current from now on; zeros when a newer epoch has overtaken this one, which is ``overtaken_by``."""

    epoch: int
    fence: int
    overtaken_by: int = 0


async def restore(
    gather: RedisRouter, keys: Keys, account_id: str, rebuild: Rebuild, now_ms: int | None, why: str = "lost"
) -> Restored:
    """Writes the leases slice by slice; the epoch is ready with the last one. Raises RedisUnavailable."""
    fence = rebuild.epoch * FENCES_PER_EPOCH
    for first, last, leases in _slices(rebuild.leases):
        names = list(dict.fromkeys(plain(scope) for lease in leases for scope in lease.scopes))
        numbers = {name: str(number) for number, name in enumerate(names, 1)}
        declared = [keys.account(account_id), keys.leases(account_id, rebuild.epoch)]
        declared += [keys.record(account_id, lease.id) for lease in leases]
        declared += [keys.scope(account_id, rebuild.epoch, name) for name in names]
        said = [str(rebuild.epoch), str(fence), str(int(first)), str(int(last)), str(now_ms or 0)]
        said += [str(len(leases)), str(len(names)), *names]
        for lease in leases:
            instants = (lease.expires_at_ms, lease.acquired_at_ms, lease.hard_end_ms, len(lease.scopes))
            said += [plain(lease.id), *map(str, instants)]
            said += [numbers[plain(scope)] for scope in lease.scopes]
        answer = await gather.call(REBUILD, declared, said, gather.deadline())
        if answer[0] not in ("done", "older"):
            raise RedisUnavailable(f"rebuild: {answer[0]}")
        if answer[0] == "older":
            return Restored(0, 0, int(answer[1]))
    REBUILDS.labels(why).inc()
    return Restored(rebuild.epoch, fence)


async def outgrow(
    gather: RedisRouter, keys: Keys, ledger: Ledger, account_id: str, epoch: int
) -> Restored | None:
    """Brings the ledger above Redis's epoch, with the leases that it forgot, and rebuilds; None where it need not."""
    held = await holdings(gather, keys, account_id, epoch)
    rebuild = await ledger.outgrow(account_id, epoch, held) if held is not None else None
    if rebuild is None:
        return None
    log.warning(
        "account %s: the ledger came back older than Redis, which is in epoch %d and holds %d leases;"
        " rebuilding in epoch %d with %d leases",
        *(account_id, epoch, len(held or ()), rebuild.epoch, len(rebuild.leases)),
    )
    rebuilt = await restore(gather, keys, account_id, rebuild, None, "behind")
    log.warning("account %s: rebuilt in epoch %d", account_id, rebuild.epoch)
    return rebuilt


async def holdings(gather: RedisRouter, keys: Keys, account_id: str, epoch: int) -> list[LiveLease] | None:
    """Every lease that Redis holds in its epoch; None when that is another by now. Raises RedisUnavailable."""
    declared = [keys.account(account_id), keys.leases(account_id, epoch)]
    kind, *ids = await gather.call(HOLDINGS, declared, [str(epoch)], gather.deadline())
    if kind != "ids":
        return None
    ids = [each for each in ids if each]
    held: list[LiveLease] = []
    for at in range(0, len(ids), _SLICE):
        some = ids[at : at + _SLICE]
        records = [keys.record(account_id, unquote(each)) for each in some]
        said = [str(epoch), *some]
        kind, *words = await gather.call(HOLDINGS, [*declared, *records], said, gather.deadline())
        if kind != "leases":
            return None
        held += _leases(words)
    return held


def _leases(words: Sequence[str]) -> Iterator[LiveLease]:
    at = 0
    while at < len(words):
        lease_id, (ends_ms, acquired_ms, hard_end_ms, count) = words[at], map(int, words[at + 1 : at + 5])
        names = tuple(map(unquote, words[at + 5 : at + 5 + count]))
        yield LiveLease(unquote(lease_id), names, ends_ms, hard_end_ms, acquired_ms)
        at += 5 + count


def _slices(leases: Sequence[LiveLease]) -> Iterator[tuple[bool, bool, Sequence[LiveLease]]]:
    """Slices with whether each is the first and the last; one empty slice when there is no lease."""
    starts = range(0, len(leases), _SLICE) or range(1)
    for start in starts:
        yield start == 0, start + _SLICE >= len(leases), leases[start : start + _SLICE]
