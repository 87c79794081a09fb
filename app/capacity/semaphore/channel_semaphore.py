"""The channel semaphore: who may dial now, decided and committed in one round trip to Redis.

See docs/channels.md for the guarantees, their limits and the proofs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import cast
from urllib.parse import unquote

from app.capacity.semaphore import scripts
from app.capacity.semaphore.admit import SEND_BY_AT, SILENT_AT, admission, admit_command, rate_state
from app.capacity.semaphore.keys import Keys, plain
from app.capacity.semaphore.memory import AccountMemory, Memory
from app.capacity.semaphore.requests import (
    ANY_ATTEMPT,
    Admission,
    AdmitRequest,
    HeldLease,
    Ledger,
    Reconciliation,
    Renewal,
    RenewalStatus,
)
from app.capacity.semaphore.restore import outgrow, restore
from app.platform.redis.errors import RedisUnavailable
from app.platform.redis.lua_script import Script
from app.platform.redis.rate_limits import RateSpend, RateState
from app.platform.redis.router import RedisRouter

_PAGE = 1000


class Semaphore:
    """Use from one event loop, between ``start`` and ``close``.

    Every method raises RedisUnavailable within ``timeout_ms`` when Redis does not answer; what the ledger
    raises while Redis is rebuilt passes through.
    """

    def __init__(
        self, url: str, *, timeout_ms: int, secret: bytes, ledger: Ledger, prefix: str = "cg"
    ) -> None:
        self._gather = RedisRouter(url, timeout_ms=timeout_ms)
        self._keys = Keys(prefix, secret)
        self._ledger = ledger
        self._memory = Memory()
        self._restoring: dict[str, asyncio.Task[None]] = {}
        # Accounts whose ledger came back older and has not been brought forward yet, and the epoch of Redis.
        self.ledger_behind: dict[str, int] = {}
        self._forgetting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to connect. Does not wait for Redis, and does not fail when it is away."""
        await self._gather.start()

    async def close(self) -> None:
        """Closes the connections."""
        under_way = [*self._restoring.values(), *self._forgetting]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._gather.close()

    async def probe(self) -> None:
        """Raises RedisUnavailable unless every server in use takes a write in time."""
        await self._gather.probe(scripts.PROBE, self._keys.probe)

    async def spend(self, rate: RateSpend) -> RateState:
        """Counts one request against a key's rate limit, and nothing else."""
        key = self._keys.rate(rate.account_id, rate.key_id, rate.api_class)
        arguments = [str(rate.limit), str(rate.window_seconds * 1000)]
        answer = await self._gather.call(scripts.SPEND, [key], arguments, self._gather.deadline())
        exceeded, remaining, reset_ms = answer
        return rate_state(rate, exceeded == "1", int(remaining), int(reset_ms))

    async def admit(self, request: AdmitRequest) -> Admission:
        """Counts the request, checks caps, scopes and paces, and takes the channel: all or nothing."""
        memory = self._memory.of(request.account_id)
        keys, arguments = admit_command(request, self._keys, memory)
        deadline = self._gather.deadline()
        for _ in range(3):
            redis_ms = self._gather.redis_now_ms(keys[0])
            left_ms = (deadline - monotonic()) * 1000
            arguments[SEND_BY_AT] = str(int(redis_ms + left_ms)) if redis_ms else "0"
            answer = await self._gather.call(scripts.ADMIT, keys, arguments, deadline)
            self._gather.learn_clock(keys[0], float(answer[9]))
            if answer[0] != "late":
                break
            # Redis's clock has moved since it was learnt; nothing was written, and this caller still waits.
        else:
            raise RedisUnavailable("Redis's clock does not stand still")
        if len(answer) > SILENT_AT:
            task = asyncio.create_task(self._forget(request.account_id, answer[SILENT_AT:]))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)
        if answer[0] == "lost":
            await self._restore(request.account_id, request.now_ms)
            answer[0] = "stale"
        return admission(request, answer, memory)

    async def release(self, account_id: str, lease_id: str) -> bool:
        """Gives the channel back; True if it was held. A lease never taken can then no longer be taken."""
        return await self._release(account_id, lease_id, 0)

    async def withdraw(
        self, account_id: str, intent_id: str, destination: str, attempt_token: str = ANY_ATTEMPT
    ) -> None:
        """Undoes an admission whose decision was not committed. The same intent may then be tried again.

        With the ``attempt_token`` of the admission it undoes that one only: what a later try of the same intent, or a
        rebuild from the ledger, has made its own stays. So it may come at any time, and as often as one likes.
        """
        attempts = self._keys.attempts(account_id, destination)
        await self._held(scripts.WITHDRAW, account_id, intent_id, attempts, [attempt_token])

    async def renew(
        self, account_id: str, lease_id: str, extend_by_ms: int, now_ms: int, *, until_ms: int = 0
    ) -> Renewal:
        """Moves the lease's end by ``extend_by_ms``, or to ``until_ms`` if given and later; never past its hard end."""
        wanted = [str(now_ms), str(extend_by_ms), str(until_ms)]
        status, *told = await self._held(scripts.RENEW, account_id, lease_id, [], wanted)
        return Renewal(cast(RenewalStatus, status), *map(int, told))

    async def usage(self, account_id: str, scope_names: Sequence[str]) -> dict[str, int]:
        """Channels in use per scope."""
        if not scope_names:
            return {}
        counts = await self._counted(scripts.USAGE, account_id, [plain(name) for name in scope_names], [])
        return {name: int(count) for name, count in zip(scope_names, counts, strict=True)}

    async def recount(self, account_id: str) -> None:
        """Counts the account's channels anew from the ledger, for scopes that had no limit until now.

        Raises RedisUnavailable, and what the ledger raises.
        """
        await self._restore(account_id, None)

    async def outgrow_again(self) -> None:
        """Try once more where the ledger could not be brought forward. Raises what the ledger raises."""
        for account_id, epoch in list(self.ledger_behind.items()):
            with contextlib.suppress(RedisUnavailable):
                await self.outgrow(account_id, epoch)

    async def outgrow(self, account_id: str, epoch: int) -> None:
        """Bring a ledger forward that came back older than Redis, which is in ``epoch``; if it is not, nothing.

        Redis is in an epoch only after the ledger has committed it. So a ledger in an older one was restored from
        a backup, or lost its last second in a failover, and everybody's facts would be stale for good. Raises
        RedisUnavailable, and what the ledger raises.
        """
        await self._alone(account_id, lambda: self._outgrow_once(account_id, epoch))

    async def lease(self, account_id: str, lease_id: str) -> HeldLease | None:
        """The lease, or None when it is not held now."""
        answer = await self._held(scripts.LEASE, account_id, lease_id, [], [])
        if answer[0] == "none":
            return None
        ends_ms, acquired_ms, hard_end_ms, fence = map(int, answer[:4])
        scopes, epoch = tuple(map(unquote, answer[4:])), self._memory.of(account_id).epoch
        return HeldLease(lease_id, scopes, acquired_ms, ends_ms, hard_end_ms, fence, epoch)

    async def reconcile(
        self, account_id: str, pool: str, active: Sequence[str], listed_at_ms: int, now_ms: int
    ) -> Reconciliation:
        """Releases what the pool holds and the switch's complete list of ``listed_at_ms`` does not name.

        ``pool`` is the pool's name, with or without ``pool:``. A lease acquired at or after the list is kept.
        """
        scope = plain(pool if pool.startswith("pool:") else f"pool:{pool}")
        held: list[str] = []
        while len(held) % _PAGE == 0:
            page = [str(now_ms), str(len(held)), str(_PAGE)]
            _, *ids = await self._counted(scripts.MEMBERS, account_id, [scope], page)
            if ids in ([], [""]):
                break
            held.extend(map(unquote, ids))
        carried, released = set(active), []
        gone = [lease_id for lease_id in held if lease_id not in carried]
        for at in range(0, len(gone), _PAGE):
            slice_ = gone[at : at + _PAGE]
            releases = [self._release(account_id, each, listed_at_ms) for each in slice_]
            answers = await asyncio.gather(*releases)
            released += [lease_id for lease_id, was_held in zip(slice_, answers, strict=True) if was_held]
        known = set(held)
        unknown = [lease_id for lease_id in dict.fromkeys(active) if lease_id not in known]
        return Reconciliation(tuple(released), tuple(unknown))

    async def expired(
        self, account_id: str, now_ms: int, recorded: Sequence[str] = ()
    ) -> list[tuple[str, int]]:
        """Leases that ended by expiry, with the instant in ms, at most 1000, oldest first.

        They are told again until they are named in ``recorded``, so that a crash loses no event.
        """
        page = [str(now_ms), str(_PAGE), *map(plain, recorded)]
        _, *words = await self._counted(scripts.EXPIRED, account_id, None, page)
        return [(unquote(words[i]), int(words[i + 1])) for i in range(0, len(words) - 1, 2)]

    async def drain_expired(self, account_id: str, now_ms: int) -> list[tuple[str, int]]:
        """As ``expired``, and they are not told again."""
        ended = await self.expired(account_id, now_ms)
        if ended:
            await self.expired(account_id, now_ms, [lease_id for lease_id, _ in ended])
        return ended

    async def _forget(self, account_id: str, digests: Sequence[str]) -> None:
        """Has the senders of texts forgotten that fell silent; nobody waits for it, and they end by themselves."""
        names = [self._keys.texts(account_id), *(self._keys.senders(account_id, each) for each in digests)]
        with contextlib.suppress(RedisUnavailable):
            await self._gather.call(scripts.FORGET, names, list(digests), self._gather.deadline())

    async def _release(self, account_id: str, lease_id: str, only_before_ms: int) -> bool:
        held = await self._held(scripts.RELEASE, account_id, lease_id, [], [str(only_before_ms)])
        return held[0] == "1"

    async def _held(
        self, script: Script, account_id: str, lease_id: str, more_keys: list[str], more: list[str]
    ) -> list[str]:
        """Calls a script that includes held.lua, with the scopes that this process knows the account to use.

        When the lease stands in others, the script says in which and is asked again with those declared.
        """
        memory, keys = self._memory.of(account_id), self._keys
        for _ in range(4):
            scopes = list(memory.scopes)
            names = [keys.account(account_id), keys.record(account_id, lease_id)]
            names.append(keys.leases(account_id, memory.epoch))
            names += [keys.scope(account_id, memory.epoch, name) for name in scopes]
            if script is scripts.RELEASE:
                names += [keys.flow(account_id, name) for name in scopes]
            said = [plain(lease_id), str(memory.epoch), str(memory.fence), str(len(scopes)), *scopes]
            answer = await self._gather.call(
                script, [*names, *more_keys], [*said, *more], self._gather.deadline()
            )
            if not await self._again(account_id, memory, answer):
                return answer
        raise RedisUnavailable("the account's epoch does not stand still")

    async def _counted(
        self, script: Script, account_id: str, scopes: Sequence[str] | None, more: list[str]
    ) -> list[str]:
        """Calls a script on the account and some scopes, or (None) on the account's set of leases."""
        memory, keys = self._memory.of(account_id), self._keys
        for _ in range(4):
            names = [keys.account(account_id)]
            if scopes is None:
                names.append(keys.leases(account_id, memory.epoch))
            else:
                names += [keys.scope(account_id, memory.epoch, name) for name in scopes]
            said = [str(memory.epoch), str(memory.fence), *more]
            answer = await self._gather.call(script, names, said, self._gather.deadline())
            if not await self._again(account_id, memory, answer):
                return answer
        raise RedisUnavailable("the account's epoch does not stand still")

    async def _again(self, account_id: str, memory: AccountMemory, answer: list[str]) -> bool:
        """Whether the script asks to be called anew: with other keys, or after Redis has been rebuilt."""
        if answer[0] == "keys":
            memory.epoch = int(answer[1])
            for name in answer[2:]:
                memory.uses(name)
            return True
        if answer[0] == "lost":
            await self._restore(account_id, None)
            return True
        return False

    async def _restore(self, account_id: str, now_ms: int | None) -> None:
        """Rebuilds the account from the ledger; all who find it lost at once share one rebuilding."""
        await self._alone(account_id, lambda: self._restore_once(account_id, now_ms))

    async def _alone(self, account_id: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        task = self._restoring.get(account_id)
        if task is None:
            task = asyncio.create_task(work(), name="redis rebuild")
            self._restoring[account_id] = task
            task.add_done_callback(lambda _: self._restoring.pop(account_id, None))
        await asyncio.shield(task)

    async def _restore_once(self, account_id: str, now_ms: int | None) -> None:
        rebuild = await self._ledger.open_epoch(account_id)
        rebuilt = await restore(self._gather, self._keys, account_id, rebuild, now_ms)
        if rebuilt.epoch:
            self._memory.of(account_id).begin_anew(rebuilt.epoch, rebuilt.fence)
        if rebuilt.overtaken_by > rebuild.epoch:
            # By another process, or Redis has been here before and the ledger has forgotten.
            await self._outgrow_once(account_id, rebuilt.overtaken_by)

    async def _outgrow_once(self, account_id: str, epoch: int) -> None:
        self.ledger_behind[account_id] = epoch
        rebuilt = await outgrow(self._gather, self._keys, self._ledger, account_id, epoch)
        if rebuilt is not None:
            self._memory.of(account_id).saw(rebuilt.epoch, rebuilt.fence)
        self.ledger_behind.pop(account_id, None)
