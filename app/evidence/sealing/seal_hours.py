"""Seal the hours that are over: by upkeep, from what is committed, without anything that a decision waits for.

An hour's decisions are those whose ids are of the hour. One that is committed later (an id is kept for a day by an
Idempotency-Key, and a commit may wait for a standby) is taken by the next seal: the counts of the hours before are
looked at each time. Histories are taken in the order in which they arrived. All that a seal is made of is read from
one snapshot, and kept in the transaction of the seal.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.evidence import store as evidence
from app.evidence.proof.record_bytes import Kind, Leaf, hash_of_record, leaves_of, record_of
from app.evidence.proof.seal_body import BEGINNING, LATE, Seal, seal_body, signed_of
from app.evidence.proof.signing import SealKey
from app.evidence.sealed_history_store import some_of
from app.evidence.sealing.leaf_list import LeafList
from app.ids import floor_id, instant_of
from app.intents.records import sealed_store as decisions
from app.platform.postgres.database import is_away

log = logging.getLogger("callgate.seals")

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=5)  # what is under way when an hour ends has ended by then, nearly always
# So many rows are hashed at once, some two milliseconds: decisions are made in the same process meanwhile.
_ROWS_AT_ONCE = 150


def hour_of(instant: datetime) -> datetime:
    """The beginning of the instant's hour, in UTC."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def seal_due(
    engine: AsyncEngine, read_key: Callable[[], SealKey], latest: datetime | None = None
) -> tuple[int, datetime]:
    """Seal every account's hours that are over and not sealed; answers how many seals were made, and until when all
    are sealed.

    Safe in every process at once: who finds another at it leaves it alone. ``latest``: seal until then at most. The
    key is read when there is something to sign; what that raises is raised. What is wrong with the records of one
    account is raised when all others are sealed, and nothing is told to be sealed until it is.
    """
    async with engine.begin() as connection:
        since, sealed_until = await evidence.progress(connection)
        until = hour_of(await evidence.server_time(connection) - GRACE)
    until = until if latest is None else min(until, hour_of(latest))
    if until <= sealed_until:
        return 0, sealed_until
    made, key, wrong = 0, read_key(), list[Exception]()
    async with engine.begin() as connection:
        accounts = await evidence.all_accounts(connection)
    for account_id in accounts:
        try:
            while (sealed := await _seal_if_alone(engine, account_id, key, since, until)) == "sealed":
                made += 1
                await asyncio.sleep(0)
        except Exception as error:
            if is_away(error):
                raise
            log.error("the account %s cannot be sealed: %s", account_id, type(error).__name__)
            wrong.append(error)
            continue
        if sealed == "busy":
            return made, sealed_until
    if wrong:
        raise wrong[0]
    async with engine.begin() as connection:
        await evidence.advance(connection, until)
    if made:
        log.info("made %d seals, until %s", made, until)
    return made, until


async def _seal_if_alone(
    engine: AsyncEngine, account_id: uuid.UUID, key: SealKey, since: datetime, until: datetime
) -> Literal["sealed", "done", "busy"]:
    """Make the account's next seal, if one waits and no other process is at it."""
    async with engine.begin() as connection:
        await evidence.begin(connection)
        if not await evidence.only_one(connection):
            return "busy"
        try:
            return "sealed" if await _seal_next(connection, account_id, key, since, until) else "done"
        except exc.IntegrityError:  # another process has made this seal since our snapshot
            await connection.rollback()
            return "busy"


async def _seal_next(
    connection: AsyncConnection, account_id: uuid.UUID, key: SealKey, since: datetime, until: datetime
) -> bool:
    """Make the account's next seal; False when nothing waits for one."""
    last = await evidence.last_seal(connection, account_id)
    boundary = last.hour + HOUR if last is not None else since
    if boundary >= until and last is not None:
        return False
    counts, late = await _late(connection, account_id, max(since, boundary - LATE), boundary)
    hour = await _next_hour(connection, account_id, boundary, until)
    if hour is None:
        if not late and counts:
            await evidence.note_hours(connection, account_id, counts, boundary - 2 * LATE)
        if not late:
            return False
        hour = until - HOUR
    number = last.seal.number + 1 if last is not None else 1
    leaves = LeafList(lambda part: evidence.add_part(connection, account_id, number, part))
    await _add_late(connection, account_id, late, leaves)
    low, high = floor_id(hour), floor_id(hour + HOUR)
    async for rows in decisions.stream_sealed(connection, account_id, low, high, _ROWS_AT_ONCE):
        await leaves.add([_leaf("decision", account_id, *row) for row in rows])
        await asyncio.sleep(0)
    counts[hour] = await decisions.count_between(connection, account_id, low, high)
    await _add_histories(connection, account_id, hour + HOUR, leaves)
    if not leaves.count:  # all that had arrived was taken back in the same transaction
        await evidence.take_arrived(connection, account_id, hour + HOUR)
        return await _seal_next(connection, account_id, key, since, until)
    now = await evidence.server_time(connection)
    await evidence.add_key(connection, key.id, key.public, now)
    previous = last.seal.hash if last is not None else BEGINNING
    root = await leaves.root()
    body = seal_body(str(account_id), number, hour, hour + HOUR, leaves.count, root, previous, key.id, now)
    seal = Seal(number, body, key.sign(signed_of(body)))
    await evidence.add_seal(connection, account_id, seal, hour, leaves.count)
    await evidence.take_arrived(connection, account_id, hour + HOUR)
    await evidence.note_hours(connection, account_id, counts, hour - 2 * LATE)
    return True


async def _next_hour(
    connection: AsyncConnection, account_id: uuid.UUID, boundary: datetime, until: datetime
) -> datetime | None:
    """The first hour from ``boundary`` on that something is to be sealed of; None when nothing is before ``until``."""
    found = await decisions.next_id(connection, account_id, floor_id(boundary), floor_id(until))
    arrived = await evidence.first_arrival(connection, account_id, until)
    hours = [] if found is None else [hour_of(instant_of(found))]
    if arrived is not None:
        hours.append(max(hour_of(arrived), boundary))
    return min(hours, default=None)


async def _late(
    connection: AsyncConnection, account_id: uuid.UUID, since: datetime, boundary: datetime
) -> tuple[dict[datetime, int], list[uuid.UUID]]:
    """Decisions of hours that are sealed which no seal has, by their ids; and the counts of those hours as they are."""
    if since >= boundary:
        return {}, []
    counted = await evidence.counted_hours(connection, account_id, since)
    whole = await decisions.count_between(connection, account_id, floor_id(since), floor_id(boundary))
    if whole == sum(counted.values()):
        return {}, []
    counts, late = {}, []
    hour = since
    while hour < boundary:
        low, high = floor_id(hour), floor_id(hour + HOUR)
        count = await decisions.count_between(connection, account_id, low, high)
        if count != counted.get(hour, 0):
            counts[hour] = count
            sealed = await _sealed_ids(connection, account_id, hour)
            async for ids in decisions.stream_ids(connection, account_id, low, high):
                late += [each for each in ids if each.bytes not in sealed]
        hour += HOUR
    return counts, late


async def _sealed_ids(connection: AsyncConnection, account_id: uuid.UUID, hour: datetime) -> set[bytes]:
    """The ids of the decisions of an hour that seals have, whichever seal it was."""
    low, high = floor_id(hour).bytes, floor_id(hour + HOUR).bytes
    found: set[bytes] = set()
    for number in await evidence.seals_from(connection, account_id, hour, 1 + int(LATE / HOUR)):
        for part in await evidence.parts(connection, account_id, number):
            found |= {
                leaf.id
                for leaf in leaves_of(part.leaves)
                if leaf.kind == "decision" and low <= leaf.id < high
            }
            await asyncio.sleep(0)
    return found


async def _add_late(
    connection: AsyncConnection, account_id: uuid.UUID, ids: list[uuid.UUID], leaves: LeafList
) -> None:
    for first in range(0, len(ids), _ROWS_AT_ONCE):
        rows = await decisions.some_sealed(connection, account_id, ids[first : first + _ROWS_AT_ONCE])
        await leaves.add([_leaf("decision", account_id, *row) for row in rows])


async def _add_histories(
    connection: AsyncConnection, account_id: uuid.UUID, until: datetime, leaves: LeafList
) -> None:
    behind = 0
    while arrivals := await evidence.arrived(connection, account_id, until, behind):
        for arrival, kind, ids in arrivals:
            behind = arrival
            for first in range(0, len(ids), 500):
                wanted = ids[first : first + 500]
                found = await some_of(connection, kind, account_id, wanted)
                # What was taken back in the transaction that brought it has arrived and is not there.
                await leaves.add(
                    [_leaf(kind, account_id, each, found[each]) for each in wanted if each in found]
                )
                await asyncio.sleep(0)


def _leaf(kind: Kind, account_id: uuid.UUID, record_id: uuid.UUID, values: list[object]) -> Leaf:
    record: Mapping[str, object] = record_of(kind, str(account_id), str(record_id), values)
    return Leaf(kind, record_id.bytes, hash_of_record(record))
