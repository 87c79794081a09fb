"""The rule pack in force, and how the next takes its place in all workers at one instant, or in none.

What is decided by is never read from the directory that people edit: its files are copied, the copy is checked
whole, and the copy is what every worker reads. A decision takes the pack once and keeps it to its end.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.intents.services import RuleSet, with_pack
from app.law import window_loader
from app.platform.files.broken_file import BrokenRuleFile
from app.platform.outcomes import CannotDecide
from app.platform.server.generations import Generations

log = logging.getLogger("callgate.law")

LOOK_SECONDS = 0.2
SETTLED_SECONDS = 0.3
PREPARE_SECONDS = 60.0  # a worker that takes longer will not turn, and so none does
Report = Callable[["Standing"], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of the last reload, for whoever asked for it. ``error`` empty: the pack is in force."""

    reloads: int
    pack: str
    digest: str
    error: str = ""


def copy_of(source: Path, target: Path, *, settled_seconds: float = 0.0) -> Path:
    """The files of a pack, copied; answers the copy's directory, which has the source's name.

    Raises BrokenRuleFile where they change meanwhile, or within so many seconds: half a file of rules can be one
    that is whole, without the rules that come last in it.
    """
    directory = target / source.name
    (directory / "windows").mkdir(parents=True)
    try:
        before = _files(source)
        for path in before:
            shutil.copyfile(path, directory / path.relative_to(source))
        if settled_seconds:
            time.sleep(settled_seconds)
        after = _files(source)
    except OSError as error:
        raise BrokenRuleFile(source, None, f"cannot be read: {error.strerror or error}") from None
    if after != before:
        raise BrokenRuleFile(source, None, "is being written; ask again when that is done")
    return directory


def _files(source: Path) -> dict[Path, tuple[int, int]]:
    """The files of a pack, each with its length and when it was written last."""
    found = ((path, path.stat()) for path in (*source.glob("*.toml"), *source.glob("windows/*.toml")))
    return {path: (told.st_size, told.st_mtime_ns) for path, told in found}


def check_of(digest: str) -> int:
    """So much of a digest as workers compare."""
    return int(digest[:15], 16)


class RuleSets:
    """The rule set of a process: that of the generation in force."""

    def __init__(self, first: RuleSet, generations: Generations, copies: Path | None, name: str) -> None:
        self._of = {generations.in_force: first}
        self._generations, self._copies, self._name = generations, copies, name
        self._tried = generations.in_force
        self.slot = 0

    def current(self) -> RuleSet:
        """The rules to begin a decision with; keep them until it is made."""
        found = self._of.get(self._generations.in_force)
        if found is None:  # it was turned without waiting for this worker, which is never done
            raise CannotDecide("the rules in force are not loaded here")
        return found

    async def watch(self) -> None:
        """In a worker, for as long as it serves: prepare what is announced, forget what is over."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            announced = self._generations.announced
            if announced > self._tried:
                self._tried = announced
                await asyncio.to_thread(self.prepare, announced, self._generations.check)
            self.forget()

    def forget(self) -> None:
        """What was in force before is kept by whoever decides by it still."""
        in_force = self._generations.in_force
        for generation in [each for each in self._of if each < in_force]:
            del self._of[generation]

    def prepare(self, generation: int, check: int) -> None:
        """Read the copy of the generation, and say whether it can be used."""
        assert self._copies is not None
        try:
            found = with_pack(self.current(), self._copies / str(generation) / self._name)
            if check_of(found.versions["law"]) != check:
                raise ValueError("the copy is not what was checked")
        except Exception:
            log.exception("the rule pack cannot be prepared")
            self._generations.refuse(self.slot, generation)
            return
        self._of[generation] = found
        self._generations.prepared(self.slot, generation)

    def adopt(self, generation: int, found: RuleSet) -> None:
        """In the parent: what workers that are forked from now on begin with."""
        self._of[generation], self._tried = found, generation


class PackKeeper:
    """The parent's part: checks what is in the directory when asked to, and has the workers turn to it."""

    def __init__(self, source: Path, copies: Path, workers: int, load: Callable[[Path], RuleSet]) -> None:
        """Reads the first pack. Raises BrokenRuleFile."""
        self.source, self._copies = source, copies
        self._generations = Generations(workers)
        first = load(copy_of(source, copies / "1"))
        self.rule_sets = RuleSets(first, self._generations, copies, source.name)
        self.standing = Standing(0, first.versions["law_pack"], first.versions["law"])
        self.report: Report = lambda standing: None
        self._last = 1
        self._live: set[int] = set()
        self._wanted = threading.Event()
        self._pending: RuleSet | None = None
        self._until = 0.0

    def begins(self, slot: int) -> None:
        """A new worker is about to take the slot."""
        self._generations.begin(slot)
        self._live.add(slot)

    def ended(self, slot: int) -> None:
        """Its worker is gone."""
        self._live.discard(slot)

    def serves(self, slot: int) -> None:
        """In the worker: its own slot."""
        self.rule_sets.slot = slot

    def reload(self, number: int = 0, frame: object = None) -> None:
        """Ask for a reload; fit to be a signal's handler."""
        del number, frame
        self._wanted.set()

    def step(self) -> None:
        """One look, about every second: take up what was asked for, and turn when every worker is prepared."""
        if self._pending is not None:
            self._turn_or_give_up(self._pending)
        elif self._wanted.is_set():
            self._wanted.clear()
            self._announce()

    def _announce(self) -> None:
        generation = self._last = self._last + 1
        try:
            copy = copy_of(self.source, self._copies / str(generation), settled_seconds=SETTLED_SECONDS)
            found = with_pack(self.rule_sets.current(), copy)
        except BrokenRuleFile as error:
            self._over(f"a rule file is broken: {error}")
            return
        except OSError as error:
            self._over(f"the rules cannot be read: {error.strerror or error}")
            return
        except Exception as error:  # the parent of all workers ends with what it does not catch
            log.exception("the rule pack cannot be used")
            self._over(f"the rules cannot be used: {error!r}")
            return
        if found.versions["law"] == self.standing.digest:
            self._over("")
            return
        self._pending, self._until = found, time.monotonic() + PREPARE_SECONDS
        self._generations.announce(generation, check_of(found.versions["law"]))

    def _turn_or_give_up(self, found: RuleSet) -> None:
        if self._generations.any_refused(self._live, self._last):
            self._over("a worker could not read the rules")
        elif self._generations.all_prepared(self._live, self._last):
            self.rule_sets.adopt(self._last, found)
            self._generations.put_in_force(self._last)
            self.rule_sets.forget()
            self.standing = Standing(self.standing.reloads, found.versions["law_pack"], found.versions["law"])
            self._over("")
        elif time.monotonic() > self._until:
            self._over("a worker did not read the rules in time")

    def _over(self, error: str) -> None:
        self._pending = None
        before = self.standing
        self.standing = Standing(before.reloads + 1, before.pack, before.digest, error)
        if error:
            self._generations.announce(self._generations.in_force, 0)
            log.error("the rules stay as they are: %s", error)
        else:
            log.warning("rules in force: %s %s", before.pack, before.digest)
        for old in self._copies.iterdir():
            if old.name.isdigit() and int(old.name) < self._generations.in_force:
                shutil.rmtree(old, ignore_errors=True)
        self.report(self.standing)


def fixed(rule_set: RuleSet) -> RuleSets:
    """A rule set that never changes, for commands and tests."""
    return RuleSets(rule_set, Generations(1), None, window_loader.DIRECTORY.name)
