"""All that a run consists of, and what is done between two faults: looking after the replicas, waiting for health."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tests.chaos.answers import Documented
from tests.chaos.decisions import Decisions
from tests.chaos.events import Events, Told
from tests.chaos.findings import Findings
from tests.chaos.lists import WISH, Change, Lists, Loss
from tests.chaos.places import Places
from tests.chaos.preparing import first_registry, listen
from tests.chaos.registries import Registered
from tests.chaos.replicas import Replica, rules_of
from tests.chaos.rules import Rules
from tests.chaos.stores import FIRST_HOST, Stores
from tests.contract.dialler import Dialler, call, instant, new_account
from tests.events.receiver import Receiver

TRUNK, TRUNK_CAPACITY = "trunk", 8
PROBES, PROBES_CAPACITY = "probes", 100_000
LEASE_SECONDS = 30
HEAL_SECONDS = 30.0
PROBES_IN_A_ROW = 4
# How long after a fault's end a request of its time may still be on its way, and remain without an answer.
SILENCE_SECONDS = 20.0


class NothingHelps(Exception):
    """A replica that decides no more, whatever is done for it: the run ends here."""


@dataclass
class World:
    """Stores, replicas, the account that is called for, and the records beside it."""

    findings: Findings
    stores: Stores
    replicas: list[Replica]
    lists: Lists = field(default_factory=Lists)
    decisions: Decisions = field(default_factory=Decisions)
    events: Events = field(default_factory=Events)
    registered: Registered = field(default_factory=Registered)
    receiver: Receiver = field(default_factory=Receiver)
    registry_loaded: float = 0.0
    _disturbed_until: float = 0.0
    _disturbing: int = 0
    _losing: list[list[float]] = field(default_factory=list)
    key: str = ""
    list_key: str = ""
    places: Places = field(init=False)
    documented: Documented = field(init=False)
    rules: Rules = field(init=False)

    @classmethod
    def build(cls, findings: Findings) -> World:
        """Everything started, an account made, the places asked."""
        stores = Stores()
        replicas: list[Replica] = []
        try:
            # One is told to look for a primary, the other only where the hosts are.
            for name, parameters in (("named", "&target_session_attrs=read-write"), ("unnamed", "")):
                key = replicas[0].service.key if replicas else None
                replicas.append(Replica(name, stores, parameters, key))
                replicas[-1].start()
            world = cls(findings, stores, replicas)
            account = new_account(replicas[0].service)
            world.key = account.key
            # Lists are kept by a key that is no administrator's: it can lift what the account entered, and no wish.
            world.list_key = account.with_key("suppressions:read", "suppressions:write").key
            account.pool(TRUNK, TRUNK_CAPACITY)
            account.pool(PROBES, PROBES_CAPACITY)
            world.places = Places(account)
            world.documented = Documented(replicas[0].service, findings)
            world.rules = Rules(rules_of(stores))
            listen(world.receiver, account)
            world.registered.note(first_registry(replicas[0].service))
        except BaseException:
            _close(stores, replicas)
            raise
        return world

    def told(self) -> list[Told]:
        """What the receiver has taken of STOP and START, in the order of arrival, with repetitions."""
        return [
            Told(e["id"], e["type"], e["data"]["number"], instant(e["timestamp"]).timestamp())
            for e in list(self.receiver.taken)
        ]

    def lost(self, sent: float, done: float) -> bool:
        """Whether a loss may have touched what was sent and answered then, or came while it was under way."""
        losses = self.decisions.losses
        return any(loss.kept_until <= done and sent <= loss.at for loss in losses) or self.unsure(sent, done)

    def close(self) -> None:
        """Ends everything that was started."""
        self.receiver.stop()
        _close(self.stores, self.replicas)

    def dialler(self, rng: random.Random) -> Dialler:
        """The account on one of the replicas."""
        return rng.choice(self.replicas).dialler(self.key)

    def disturb(self) -> None:
        """Somebody may remain without an answer from a moment ago until a while from now."""
        self._disturbed_until = max(self._disturbed_until, time.time() + SILENCE_SECONDS)

    @contextlib.contextmanager
    def disturbing(self) -> Iterator[None]:
        """Somebody may remain without an answer as long as this takes, and a while longer."""
        self._disturbing += 1
        try:
            yield
        finally:
            self.disturb()
            self._disturbing -= 1

    @property
    def disturbed(self) -> bool:
        """Whether silence is excused."""
        return self._disturbing > 0 or time.time() < self._disturbed_until

    @contextlib.contextmanager
    def losing(self) -> Iterator[None]:
        """What is asked and answered in here may meet Postgres before it lost its memory, or after."""
        span = [time.time(), float("inf")]
        self._losing.append(span)
        with self.disturbing():
            yield
        span[1] = time.time()

    def unsure(self, sent: float, done: float) -> bool:
        """Whether nobody can say on which side of a loss a request was served."""
        return any(since <= done and sent <= until for since, until in self._losing)

    def perhaps_lost(self, answered: float) -> bool:
        """Whether what was answered then may be forgotten."""
        losses = self.decisions.losses
        return any(loss.kept_until <= answered <= loss.at for loss in losses) or self.unsure(
            answered, answered
        )

    def note_change(self, number: str, slot: str, change: Change) -> None:
        """Notes a change of a list; one on which nobody can rely when it fell into a loss."""
        if self.unsure(change.sent, change.done) or self.perhaps_lost(change.done):
            change = replace(change, answered=False)
        self.lists.note(number, slot, change)
        if slot == WISH:
            self.events.note(number, change)

    def forget(self, loss: Loss | None) -> None:
        """Postgres lost what it had: the records lose the same."""
        if loss is None:
            return
        self.lists.lose(loss)
        self.registered.lose(loss)
        decisions, channels = self.decisions.lose(loss)
        self.findings.note("decisions that a restore or a failover may have forgotten", decisions)
        self.findings.log(
            f"lost on the way at the most: {decisions} decisions and {channels} channels of the last "
            f"{loss.at - loss.kept_until:.2f} s"
        )

    # Between the faults

    def look_after(self) -> None:
        """What a supervisor does: starts again what has ended, and tells on what ended without being told to."""
        for replica in self.replicas:
            if not replica.running() and replica.service.process is not None:
                status = replica.service.process.returncode
                self.findings.violation("ended by itself", f"{replica.name} with {status}")
                self.restart(replica)

    def restart(self, replica: Replica) -> None:
        """An orderly end of a replica, and a new start."""
        with self.disturbing():
            replica.restart()

    def heal(self, fault: str) -> None:
        """Waits until every replica decides again; helps, and says so, when one does not by itself."""
        began = time.monotonic()
        self.look_after()
        for replica in self.replicas:
            self._heal(replica)
        took = time.monotonic() - began
        self.findings.healed[fault].append(took)
        for replica in self.replicas:
            self._turned(replica)
        self.over_capacity()
        self.decisions.forget_ended(time.time() - 120)

    def _turned(self, replica: Replica) -> None:
        """Waits until a replica decides by the newest rules; they may be edited meanwhile."""
        deadline = time.monotonic() + HEAL_SECONDS
        while (law := replica.law()) != self.rules.newest:
            if replica.missed_a_reload:
                replica.hang_up()
            if time.monotonic() > deadline:
                self.findings.violation(
                    "rules not turned", f"{replica.name}: {law} after {HEAL_SECONDS:.0f} s"
                )
                replica.hang_up()
                return
            time.sleep(0.2)

    def _heal(self, replica: Replica) -> None:
        last = self._decides(replica, HEAL_SECONDS)
        if last is None:
            return
        self.findings.violation("did not heal", f"{replica.name} after {HEAL_SECONDS:.0f} s: {last}")
        with contextlib.suppress(OSError):
            if replica.service.request("GET", "/readyz", timeout_seconds=5).status == 200:
                self.findings.violation(
                    "ready but cannot decide", f"{replica.name}: /readyz is 200, and {last}"
                )
        # So that the next fault finds something to break. None of this is what anybody should have to do.
        for what, help_ in self._help(replica).items():
            self.findings.log(f"helped: {what}")
            help_()
            last = self._decides(replica, 12)
            if last is None:
                return
        raise NothingHelps(f"{replica.name}: {last}")

    def _help(self, replica: Replica) -> dict[str, Callable[[], object]]:
        helps: dict[str, Callable[[], object]] = {}
        if self.stores.primary.directory.name != FIRST_HOST:
            helps["the URL's first host is made the primary"] = self._first_host_first
        helps[f"{replica.name} is started anew"] = lambda: self.restart(replica)
        helps["Redis is emptied"] = self.stores.servers.flush_redis
        return helps

    def _first_host_first(self) -> None:
        with self.losing():
            self.forget(self.stores.promote(orderly=True))
        self.stores.follow()
        self.stores.drop_connections()

    def _decides(self, replica: Replica, seconds: float) -> str | None:
        """None once several probes in a row, each on a connection of its own, were approved; else the last answer."""
        rng = random.Random(time.monotonic())
        dialler = replica.dialler(self.key)
        deadline = time.monotonic() + seconds
        in_a_row, last = 0, "no answer"
        while time.monotonic() < deadline:
            number = self.places.open_number(rng, time.time())
            try:
                body = call(number, pool=PROBES, max_duration=LEASE_SECONDS)
                answer = dialler.post("/v1/intents", body, timeout_seconds=5)
            except OSError as error:
                in_a_row, last = 0, repr(error)
                time.sleep(0.1)
                continue
            self.documented.check("POST", "/v1/intents", answer)
            in_a_row = in_a_row + 1 if answer.status == 201 else 0
            last = f"{answer.status} {answer.body[:200]!r}"
            if in_a_row == PROBES_IN_A_ROW:
                return None
            time.sleep(0.02 if in_a_row else 0.2)
        return last

    def over_capacity(self) -> None:
        """Looks whether more channels were held at once than there are."""
        for example in self.decisions.over_capacity({TRUNK: TRUNK_CAPACITY}, time.time() - 0.5):
            self.findings.violation("over capacity", example)


def _close(stores: Stores, replicas: list[Replica]) -> None:
    for replica in replicas:
        with contextlib.suppress(Exception, AssertionError):
            if replica.running():
                replica.kill()
        with contextlib.suppress(Exception):
            replica.service.stop()
    with contextlib.suppress(Exception):
        stores.mend()
    stores.close()
