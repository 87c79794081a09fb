"""Set, read and remove the limits of an account, its campaigns and its senders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.accounts.audit.record_change import actor_of, record_change
from app.accounts.authenticate import Caller
from app.capacity.channel_services import ChannelServices
from app.capacity.limits import store as limits
from app.capacity.limits.store import NamedLimit
from app.numbering import (
    NumberFormatError,
    NumberImpossibleError,
    UnsupportedDestinationError,
    asked_line,
    parse_sender,
)
from app.platform.outcomes import FieldFault, NotFound, Unusable


@dataclass(frozen=True, slots=True)
class LimitInUse:
    """A limit, and how many calls count under it; None for a sender's, which is a pace."""

    limit: NamedLimit
    in_use: int | None

    @property
    def available(self) -> int | None:
        """Calls that may still begin; none where the limit was taken below the use."""
        if self.limit.capacity is None or self.in_use is None:
            return None
        return max(0, self.limit.capacity - self.in_use)


async def list_limits(services: ChannelServices, caller: Caller, after: str, limit: int) -> list[LimitInUse]:
    """Up to ``limit`` limits behind a name, in the order of their names."""
    found = await services.database.run(
        lambda connection: limits.page(connection, caller.account_id, after, limit), may_run_twice=True
    )
    return await _used(services, caller, found)


async def show_limit(services: ChannelServices, caller: Caller, name: str) -> LimitInUse:
    """The limit and its use. Raises NotFound."""
    found = await services.database.run(
        lambda connection: limits.fetch(connection, caller.account_id, _spelled(name)), may_run_twice=True
    )
    if found is None:
        raise NotFound(f"There is no limit {name}.")
    return (await _used(services, caller, [found]))[0]


async def set_limit(services: ChannelServices, caller: Caller, wanted: NamedLimit) -> tuple[bool, LimitInUse]:
    """Set the limit; answers whether it is new. In force at once, in every process. Raises Unusable."""
    _check(wanted)
    now, names = services.now(), _spelled(wanted.name)
    async with services.database.begin() as connection:
        wanted, before = await limits.put(connection, caller.account_id, wanted, names, now)
        await _record(connection, caller, before, wanted, now)
    new = before is None
    if new and wanted.capacity is not None:
        await services.semaphore.recount(str(caller.account_id))
    return new, (await _used(services, caller, [wanted]))[0]


async def remove_limit(services: ChannelServices, caller: Caller, name: str) -> None:
    """What it bounded is unbounded from the next decision on. Raises NotFound."""
    async with services.database.begin() as connection:
        removed = await limits.delete(connection, caller.account_id, _spelled(name))
        for before in removed:
            await _record(connection, caller, before, None, services.now())
    if not removed:
        raise NotFound(f"There is no limit {name}.")


async def _record(
    connection: AsyncConnection,
    caller: Caller,
    before: NamedLimit | None,
    after: NamedLimit | None,
    now: datetime,
) -> None:
    named = before or after
    assert named is not None
    await record_change(
        connection,
        caller.account_id,
        actor_of(caller.key_id),
        f"limit:{named.name}",
        before=asdict(before) if before is not None else None,
        after=asdict(after) if after is not None else None,
        now=now,
    )


def _spelled(name: str) -> list[str]:
    """The names that the limit may stand under: a sender's line has one limit, whichever way it is spelled."""
    kind, _, label = name.partition(":")
    return [f"sender:{spelling}" for spelling in asked_line(label)] if kind == "sender" else [name]


def _check(wanted: NamedLimit) -> None:
    """The name is one of the three kinds, and the members are that kind's. Raises Unusable."""
    faults = []
    kind, _, label = wanted.name.partition(":")
    paces = {"messages_per_second": wanted.messages_per_second, "messages_per_day": wanted.messages_per_day}
    if wanted.name == "account" or (kind == "campaign" and 1 <= len(label) <= 64):
        if wanted.capacity is None:
            faults.append(FieldFault("capacity", "required field missing", "/capacity"))
        for field, value in paces.items():
            if value is not None:
                faults.append(FieldFault(field, "is for a sender", f"/{field}"))
    elif kind == "sender":
        try:
            parse_sender(label, "sms")
        except (NumberFormatError, NumberImpossibleError, UnsupportedDestinationError) as error:
            faults.append(FieldFault("name", f"must be sender: and a number; {error.reason}", ""))
        if wanted.capacity is not None:
            faults.append(FieldFault("capacity", "is for the account and its campaigns", "/capacity"))
        if all(value is None for value in paces.values()):
            reason = "required field missing, or messages_per_day"
            faults.append(FieldFault("messages_per_second", reason, "/messages_per_second"))
    else:
        faults.append(FieldFault("name", "must be account, campaign:NAME or sender:NUMBER", ""))
    if faults:
        raise Unusable(faults)


async def _used(services: ChannelServices, caller: Caller, found: Sequence[NamedLimit]) -> list[LimitInUse]:
    names = [limit.name for limit in found if limit.capacity is not None]
    in_use = await services.semaphore.usage(str(caller.account_id), names) if names else {}
    return [LimitInUse(limit, in_use.get(limit.name)) for limit in found]
