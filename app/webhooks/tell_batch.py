"""Tell one receiver a batch of events: many subjects side by side, each subject in its order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from time import monotonic

from app.events.event_types import event_document
from app.webhooks.delivery_store import Due, Hold, Result
from app.webhooks.send_event import Sender, Told
from app.webhooks.verdict import next_wait_seconds, rest_seconds

AT_ONCE = 16
_BATCH_SECONDS = 20.0
# So many in a row that nothing came of, and the rest is not tried.
_GIVE_UP_AFTER = 16
# So many subjects, and none that got through: it is the receiver and not the event.
_AWAY_FROM = 3
# Of what is new, and of what is due again, so many are sent to a receiver that let nothing through.
_PROBES = 2


@dataclass(slots=True)
class Batch:
    """What is to be written down of a batch. ``position``: up to where everything was told, or has a delivery."""

    position: int
    failures: int
    error: str | None = None
    rest: timedelta | None = None
    gone: bool = False
    results: list[Result] = field(default_factory=list)


@dataclass(slots=True)
class _Course:
    """How the batch goes so far."""

    holds: Callable[[], bool]
    until: float
    delivered: int = 0
    failed: int = 0
    unreached: int = 0
    failed_in_a_row: int = 0
    asked_to_rest: float = 0.0
    gone: bool = False
    error: str | None = None

    def goes_on(self) -> bool:
        """Whether the next event may be sent."""
        return (
            not self.gone
            and not self.asked_to_rest
            and self.failed_in_a_row < _GIVE_UP_AFTER
            and monotonic() < self.until
            and self.holds()
        )

    def note(self, told: Told) -> None:
        """Count one try."""
        if told.delivered:
            self.delivered += 1
            self.failed_in_a_row = 0
            return
        self.failed += 1
        self.failed_in_a_row += 1
        self.unreached += told.unreached
        self.asked_to_rest = max(self.asked_to_rest, told.rest_seconds)
        self.gone |= told.gone
        self.error = told.error


async def tell_batch(
    sender: Sender,
    held: Hold,
    again: Sequence[Due],
    new: Sequence[Due],
    blocked: set[str],
    *,
    first_seconds: float,
    now: Callable[[], datetime],
    holds: Callable[[], bool],
) -> Batch:
    """Send what is due again, and what is new and wanted, and say what is to be written down.

    ``blocked``: the subjects of which something waits already, so that what is new stands behind it. A receiver that
    nothing reaches is left alone for a while, and nothing is written of the events that it has not heard.
    """
    course = _Course(holds, monotonic() + _BATCH_SECONDS)
    all_again, all_new = again, new
    if held.failures:
        again, new = again[:_PROBES], _first_wanted(held, new)
    wanted = [due for due in new if due.event.type in held.events]
    groups: dict[str, list[Due]] = {}
    for due in wanted:
        if due.event.subject not in blocked:
            groups.setdefault(due.event.subject, []).append(due)
    places = asyncio.Semaphore(AT_ONCE)

    async def tell(group: list[Due], waits_already: bool) -> list[Result]:
        async with places:
            return await _tell_in_order(sender, held, group, course, first_seconds, now, waits_already)

    told = await asyncio.gather(
        *(tell([due], True) for due in again), *(tell(group, False) for group in groups.values())
    )
    results = [result for some in told for result in some]
    nobody = course.unreached == course.failed > 0 and not course.delivered
    if nobody and not course.gone and (course.unreached >= _AWAY_FROM or held.failures):
        return _left_alone(held, all_again, all_new, course, first_seconds)
    results += [_behind(due) for due in wanted if due.event.subject in blocked]
    return Batch(
        position=new[-1].event.position if new else held.position,
        failures=held.failures if nobody else 0,
        error=course.error,
        rest=timedelta(seconds=course.asked_to_rest) if course.asked_to_rest else None,
        gone=course.gone,
        results=results,
    )


def _first_wanted(held: Hold, new: Sequence[Due]) -> Sequence[Due]:
    """As much of what is new as holds so many that the receiver wants."""
    wanted = [place for place, due in enumerate(new) if due.event.type in held.events]
    return new[: wanted[_PROBES - 1] + 1] if len(wanted) >= _PROBES else new


async def _tell_in_order(
    sender: Sender,
    held: Hold,
    group: Sequence[Due],
    course: _Course,
    first_seconds: float,
    now: Callable[[], datetime],
    waits_already: bool,
) -> list[Result]:
    results: list[Result] = []
    for place, due in enumerate(group):
        if not course.goes_on():
            if not waits_already:
                results.append(Result(due.event, "waiting", 0, timedelta(), False, None, None))
                results += [_behind(each) for each in group[place + 1 :]]
            return results
        document = event_document(due.event)
        told = await sender.tell(held.url, document, int(now().timestamp()), held.secrets)
        course.note(told)
        attempts = due.attempts + 1
        if told.delivered:
            results.append(Result(due.event, "delivered", attempts, None, True, told.answered, None))
        elif due.expired:
            results.append(Result(due.event, "dead", attempts, None, True, told.answered, told.error))
        else:
            wait = next_wait_seconds(attempts, first_seconds, random.random())  # noqa: S311
            wait = max(wait, told.rest_seconds)
            results.append(
                Result(
                    due.event, "waiting", attempts, timedelta(seconds=wait), True, told.answered, told.error
                )
            )
            return results + [_behind(each) for each in group[place + 1 :]]
    return results


def _behind(due: Due) -> Result:
    """It waits for an earlier event of its subject."""
    return Result(due.event, "waiting", due.attempts, None, False, None, None)


def _left_alone(
    held: Hold, again: Sequence[Due], new: Sequence[Due], course: _Course, first_seconds: float
) -> Batch:
    """Nothing gets through: all stays as it is, but for what has been tried for as long as it may be."""
    failures = held.failures + 1
    rest = rest_seconds(failures, first_seconds, random.random())  # noqa: S311
    batch = Batch(held.position, failures, course.error)
    batch.rest = timedelta(seconds=max(rest, course.asked_to_rest))
    old = list(takewhile(lambda due: due.expired or due.event.type not in held.events, new))
    if old:
        batch.position = old[-1].event.position
    over = [due for due in (*again, *old) if due.expired and due.event.type in held.events]
    batch.results = [
        Result(due.event, "dead", due.attempts + 1, None, True, None, course.error) for due in over
    ]
    return batch
