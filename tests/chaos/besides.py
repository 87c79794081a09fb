"""What goes on beside the decisions: somebody reads the console, a registry is loaded, rules are edited."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import deque

from app.console.rail import RAIL
from tests.chaos.caller import Asked, Caller
from tests.chaos.registries import NAME, Loaded, drawn, file_of
from tests.chaos.world import TRUNK, World
from tests.console.person import Person
from tests.contract.dialler import call, sms
from tests.service import Answer

# What an account's own key may see; the page of all accounts is the operator's.
PAGES = tuple(line.href for part in RAIL for line in part if line.scope != "operator")
# 303 where the session is gone with Redis's memory, 503 where a store is away, 429 where too many signed in at once.
OF_PAGES = (200, 303, 429, 503)
LOADS_APART_SECONDS = 4.0
LOAD_SECONDS = 20.0
_loading = threading.Lock()


class Besides(Caller):
    """One thread's doings beside its calls, with a browser of its own for each replica."""

    def __init__(
        self, world: World, rng: random.Random, recent: deque[str], calls: deque[tuple[float, str]]
    ) -> None:
        super().__init__(world, rng, recent, calls)
        self._people = [Person(replica.service) for replica in world.replicas]
        self._signed_in = [False for _ in world.replicas]

    # The console

    def view(self) -> None:
        """A page of the console, or signing in where the session is gone."""
        which = self.rng.randrange(len(self._people))
        person = self._people[which]
        if not self._signed_in[which]:
            self._signed_in[which] = self._sign_in(person)
            return
        page = self.rng.choice((*PAGES, f"/console/numbers/{self.number()}"))
        answer = self._page("console page", person, page)
        if answer is not None and answer.status == 303:
            self._signed_in[which] = False

    def _sign_in(self, person: Person) -> bool:
        page = self._page("sign-in page", person, "/console/sign-in")
        found = re.search(r'name="csrf" value="([^"]+)"', page.body.decode()) if page is not None else None
        if found is None:
            return False
        form = {"key": self.world.key, "csrf": found[1], "next": ""}
        answer = self._page("sign-in", person, "/console/sign-in", form)
        return answer is not None and answer.status == 303

    def _page(
        self, operation: str, person: Person, path: str, form: dict[str, str] | None = None
    ) -> Answer | None:
        findings, excused, began = self.world.findings, self.world.disturbed, time.time()
        try:
            answer = person.send("GET" if form is None else "POST", path, form)
        except OSError as error:
            findings.answered(operation, "silence")
            if not excused and not self.world.disturbed:
                took = time.time() - began
                findings.violation("unexplained silence", f"{path}: {error!r} after {took:.1f} s")
            return None
        findings.answered(operation, str(answer.status))
        if answer.status not in OF_PAGES:
            findings.violation(
                "undocumented answer", f"{path} answered {answer.status}: {answer.body[:200]!r}"
            )
        elif answer.status != 303 and b"</html>" not in answer.body:
            findings.violation("broken page", f"{path} answered {answer.status}: {answer.body[-200:]!r}")
        return answer

    # A registry

    def load_registry(self) -> None:
        """The whole list anew, by one at a time, with the other half of its numbers."""
        if not _loading.acquire(blocking=False):
            return
        try:
            if time.time() - self.world.registry_loaded < LOADS_APART_SECONDS:
                return
            self.world.registry_loaded = time.time()
            side = self.rng.randrange(2)
            with self.world.registered.loading(side):
                self.load_side(side)
        finally:
            _loading.release()

    def load_side(self, side: int) -> None:
        """One load, until its job has ended; noted as it was answered."""
        operator = self.world.replicas[0].service.key
        headers = {"Content-Type": "text/csv"}
        path = f"/v1/registries/{NAME}/versions"
        asked = self.send("registry load", "POST", path, file_of(side), key=operator, headers=headers)
        if asked.status == 202:
            ended = self.job(asked, operator, LOAD_SECONDS)
            if ended == "failed":
                return
            self._note_load(asked, side, answered=ended == "succeeded")
        elif asked.unknown:
            self._note_load(asked, side, answered=False)

    def _note_load(self, asked: Asked, side: int, *, answered: bool) -> None:
        world = self.world
        if world.unsure(asked.sent, asked.done) or world.perhaps_lost(asked.done):
            answered = False
        world.registered.note(Loaded(asked.sent, asked.done, side, answered))

    def call_listed(self) -> None:
        """A number of the registry: what surely is on it is never approved."""
        number = drawn(self.rng)
        body = call(number, pool=TRUNK) if self.rng.random() < 0.5 else sms(number)
        asked = self.send("preview", "POST", "/v1/intents/preview", body)
        binds = self.world.registered.surely_binds(number, asked.sent, asked.done)
        if asked.status != 200 or self.world.unsure(asked.sent, asked.done) or not binds:
            return
        if asked.json()["verdict"] == "approved":
            self.world.findings.violation(
                "wrong approval: registry", f"a preview, {body['type']} to {number}"
            )

    # Rules

    def reload_rules(self) -> None:
        """Another version of the rules, and the replicas are told."""
        if self.world.rules.edit():
            self.world.findings.note("times that the rules were edited and the replicas told")
            for replica in self.world.replicas:
                replica.hang_up()
