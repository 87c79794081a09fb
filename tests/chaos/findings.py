"""What a run finds, and what happened when: the timeline, the violations, the figures by fault and by answer."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

EXAMPLES = 4

# Every kind of violation with the promise that it breaks. The report names no others.
PROMISES = {
    "wrong approval: suppressed": "no approval to a number whose suppression had been answered before",
    "wrong approval: window": "no approval of a call outside the window",
    "wrong approval: content": "no approval of a text that the packs refuse",
    "wrong approval: registry": "no approval to a number of a registry that is surely loaded",
    "wrong refusal: registry": "no refusal for a registry that the number is not in",
    "over capacity": "never more calls at once than the pool has channels",
    "lease lost": "a lease that was answered holds its channel until it ends",
    "leaked channel": "after the last lease has ended nothing is in use",
    "lost record": "what was answered is on record, and as it was answered",
    "decided twice": "one Idempotency-Key, one decision",
    "lost suppression": "a suppression that was answered stands until it is lifted or ends",
    "lost event": "each answered STOP and START is told to the account's webhook, at least once",
    "event out of order": "the events of one number come first in the order in which they happened",
    "forged event": "every event carries a signature that verifies",
    "rules not turned": "after a reload a replica decides by the newest rules, and by none that there never were",
    "broken page": "a page of the console is whole, or says that it cannot be shown",
    "undocumented answer": "no status but those that the operation documents, and no 500",
    "not a problem document": "every error is application/problem+json, whole and consistent",
    "unexplained silence": "who is not in the way of a fault gets an answer",
    "did not heal": "within seconds of a fault's end every replica decides again, without anybody's help",
    "ready but cannot decide": "/readyz says 503 where intents are answered 503",
    "ended by itself": "a replica ends when it is told to, and else never",
}


@dataclass
class Found:
    """One kind of violation: how often, under which faults, and the first examples."""

    times: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class Findings:
    """Shared by all threads of a run. ``say`` gets each line of the timeline."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.began = time.time()
        self.found: dict[str, Found] = {}
        self.answers: dict[str, Counter[str]] = defaultdict(Counter)  # fault → "operation status" → how often
        self.faults: Counter[str] = Counter()
        self.healed: dict[str, list[float]] = defaultdict(list)
        self.notes: Counter[str] = Counter()
        self._present = "no fault"
        self._say = say
        self._lock = threading.Lock()

    @property
    def present(self) -> str:
        """The faults in force; after their end, until all has healed, with a word that says so."""
        return self._present

    def log(self, text: str) -> None:
        """One line of the timeline."""
        self._say(f"{time.time() - self.began:8.2f}  {text}")

    def enter(self, fault: str) -> None:
        """From now on this is what is in force."""
        self._present = fault

    def answered(self, operation: str, what: str) -> None:
        """Counts an answer, or the want of one, under the fault that is in force."""
        with self._lock:
            self.answers[self._present][f"{operation} {what}"] += 1

    def note(self, what: str, times: int = 1) -> None:
        """Counts something worth telling that is no violation."""
        with self._lock:
            self.notes[what] += times

    def violation(self, kind: str, example: str) -> None:
        """A promise that was broken. The first examples of each kind are kept, and said at once."""
        assert kind in PROMISES, kind
        with self._lock:
            found = self.found.setdefault(kind, Found())
            found.times += 1
            found.faults[self._present] += 1
            first = len(found.examples) < EXAMPLES
            if first:
                found.examples.append(f"at {time.time() - self.began:.2f} s under {self._present}: {example}")
        if first:
            self.log(f"VIOLATION  {kind}: {example}")
