"""Writes what the ledger knows into a new epoch, after Redis has lost its memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.channels.gather import Gather
from app.channels.keys import Keys, plain
from app.channels.requests import LiveLease, Rebuild, RedisUnavailable
from app.channels.scripts import REBUILD

_SLICE = 500
# Fences of an epoch begin here and grow by one per admission, so that they grow over epochs too.
FENCES_PER_EPOCH = 2**32


@dataclass(frozen=True, slots=True)
class Restored:
    """What is current from now on; zeros when a newer epoch has overtaken this one."""

    epoch: int
    fence: int


async def restore(
    gather: Gather, keys: Keys, account_id: str, rebuild: Rebuild, now_ms: int | None
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
            return Restored(0, 0)
    return Restored(rebuild.epoch, fence)


def _slices(leases: Sequence[LiveLease]) -> Iterator[tuple[bool, bool, Sequence[LiveLease]]]:
    """Slices with whether each is the first and the last; one empty slice when there is no lease."""
    starts = range(0, len(leases), _SLICE) or range(1)
    for start in starts:
        yield start == 0, start + _SLICE >= len(leases), leases[start : start + _SLICE]
