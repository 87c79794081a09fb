"""An independent record of what a receiver must have been told: each answered STOP and START, in order for its number.

A STOP makes an event where the person was reachable before, a START always. Whose STOP or START may have been
forgotten by a restore, was not answered, or crossed another of the number says nothing about it.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.lists import UNKNOWN_SECONDS, Change

OUT, IN = "opt_out.recorded", "opt_in.recorded"
# Instants of events are whole milliseconds, by Postgres's clock, which is the harness's.
EDGE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """One event as a receiver took it: ``at`` is its timestamp in seconds since the epoch."""

    id: str
    type: str
    number: str
    at: float


class Events:
    """The record of wishes, shared by all threads. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._wishes: dict[str, list[Change]] = defaultdict(list)
        self._lock = threading.Lock()

    def note(self, number: str, change: Change) -> None:
        """A STOP (it suppresses) or a START that was sent."""
        with self._lock:
            self._wishes[number].append(change)

    def missing(self, told: Sequence[Told], lost: Callable[[float, float], bool]) -> Iterator[str]:
        """What was answered and has not been told. ``lost``: whether what was sent and answered then may be forgotten.

        Numbers that a loss has touched are left out, since their past is no longer what was told. ``told`` is in the
        order of arrival, which is that in which it happened: two replicas may stamp it a few milliseconds otherwise.
        """
        by_number: dict[str, list[Told]] = defaultdict(list)
        for each in {each.id: each for each in told}.values():  # a repetition keeps the place of the first
            by_number[each.number].append(each)
        for number, wishes in self._sure(by_number, lost):
            for wish in wishes:
                why = _untold(wish, wishes, by_number[number])
                if why:
                    yield f"{number}: {why}; {_story(wish, wishes, by_number[number])}"

    def out_of_order(self, taken: Sequence[Told], lost: Callable[[float, float], bool]) -> Iterator[str]:
        """Numbers whose events came first in another order than they happened: two opt-outs with no opt-in between.

        ``taken`` is in the order of arrival, with repetitions.
        """
        by_number: dict[str, list[Told]] = defaultdict(list)
        for each in {each.id: each for each in taken}.values():  # a repetition keeps the place of the first
            by_number[each.number].append(each)
        for number, _ in self._sure(by_number, lost):
            there = by_number[number]
            for before, after in itertools.pairwise(there):
                if before.type == after.type == OUT:
                    yield f"{number}: {before.id} and {after.id} are opt-outs, and no opt-in came between"

    def counted(self, lost: Callable[[float, float], bool]) -> int:
        """How many wishes must have been told."""
        return sum(len([w for w in wishes if w.answered]) for _, wishes in self._sure({}, lost))

    def _sure(
        self, told: dict[str, list[Told]], lost: Callable[[float, float], bool]
    ) -> Iterator[tuple[str, list[Change]]]:
        with self._lock:
            found = {number: list(wishes) for number, wishes in self._wishes.items()}
        for number, wishes in found.items():
            touched = any(lost(wish.sent, _end(wish)) for wish in wishes) or any(
                lost(each.at, each.at) for each in told.get(number, ())
            )
            if not touched:
                yield number, wishes


def _end(wish: Change) -> float:
    return wish.done if wish.answered else wish.done + UNKNOWN_SECONDS


def _story(wish: Change, wishes: Sequence[Change], told: Sequence[Told]) -> str:
    """What was said and what was told, in seconds since the wish in question was sent."""
    said = [(w.sent, f"{w.what} {w.sent - wish.sent:.2f} to {w.done - wish.sent:.2f}") for w in wishes]
    heard = [(each.at, f"[{each.type} at {each.at - wish.sent:.2f}]") for each in told]
    return ", ".join(text for _, text in sorted(said + heard))


def _untold(wish: Change, wishes: Sequence[Change], told: Sequence[Told]) -> str | None:
    """What is missing of an answered wish, None when nothing is or nobody can say."""
    if not wish.answered:
        return None
    # A replica that knows its clock to be wrong stamps by what it knows of Postgres's, which may be off by half of what
    # the asking took: as long as the wish, where the store stood still.
    since, until = wish.sent - EDGE_SECONDS, wish.done + EDGE_SECONDS + (wish.done - wish.sent) / 2
    if not wish.suppresses:
        if any(each.type == IN and since <= each.at <= until for each in told):
            return None
        # As many as there were STARTs are all of them, whenever they say that they were.
        starts = sum(not each.suppresses for each in wishes)
        all_told = sum(each.type == IN for each in told) >= starts
        return None if all_told else f"a START was answered, and no {IN} was told"
    for other in wishes:
        if not other.suppresses and other.sent < wish.done and _end(other) > wish.sent:
            return None  # crossed by a START: nobody knows which came last
    before = [each for each in told if each.at <= until]
    if not before:
        return f"a STOP was answered, and no {OUT} was told"
    if before[-1].type == IN and before[-1].at < since:
        return f"a STOP was answered, and the last that was told before its end is {IN} {before[-1].id}"
    return None
