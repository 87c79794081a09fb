"""The load: callers who decide, release, renew and look up, while others keep the lists."""

from __future__ import annotations

import random
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from tests.chaos.besides import Besides
from tests.chaos.caller import Asked
from tests.chaos.decisions import Held
from tests.chaos.lists import CHANNELS, WISH, Change
from tests.chaos.world import World
from tests.contract.dialler import CALLER_ID, instant, rfc3339

JOB_SECONDS = 20.0
CSV = {"Content-Type": "text/csv"}


class Client(Besides):
    """One thread of the load, with draws of its own."""

    def __init__(
        self, world: World, seed: int, place: int, recent: deque[str], calls: deque[tuple[float, str]]
    ) -> None:
        super().__init__(world, random.Random(f"{seed}:client:{place}"), recent, calls)
        # How often each is done, of a hundred.
        self.doings: dict[Callable[[], None], int] = {
            self.intent: 50,
            self.release: 16,
            self.renew: 3,
            self.batch: 3,
            self.preview: 4,
            self.look: 5,
            self.stop: 4,
            self.start: 3,
            self.add: 3,
            self.put: 3,
            self.remove: 4,
            self.import_list: 2,
            self.view: 5,
            self.call_listed: 4,
            self.load_registry: 2,
            self.reload_rules: 1,
        }

    def step(self) -> None:
        """One doing."""
        (doing,) = self.rng.choices(list(self.doings), weights=list(self.doings.values()))
        doing()

    # Channels

    def release(self) -> None:
        """The calls that are over give their channels back."""
        for _ in range(4):
            try:
                due, lease_id = self.calls.popleft()
            except IndexError:
                return
            if due > time.time():
                self.calls.append((due, lease_id))
                continue
            self.release_one(lease_id)

    def release_one(self, lease_id: str) -> None:
        """One channel; not answered, it is tried again later."""
        lease = self.world.decisions.held.get(lease_id)
        if lease is None:
            return
        lease.release_sent = lease.release_sent or time.time()
        asked = self.send("release", "DELETE", f"/v1/leases/{lease_id}")
        lease.released |= asked.status == 204
        if asked.status in (0, 503):
            self.calls.append((time.time() + 0.5, lease_id))
        elif asked.status == 404:
            self.missing(f"the lease {lease_id}", lease.perhaps_lost, asked)

    def renew(self) -> None:
        """A call that goes on."""
        live = self.world.decisions.live()
        if not live:
            return
        lease = self.rng.choice(live)
        asked = self.send("renewal", "POST", f"/v1/leases/{lease.id}/renew", {"extend_by": 5})
        if asked.status == 200:
            lease.ends.append((asked.sent, asked.done, instant(asked.json()["expires_at"]).timestamp()))
        elif asked.status == 404:
            self.missing(f"the lease {lease.id}", lease.perhaps_lost, asked)
        elif asked.status == 409 and self.surely_held(lease, asked):
            said = asked.json()["detail"]
            self.world.findings.violation("lease lost", f"{lease.id} should be held, but: {said}")

    def surely_held(self, lease: Held, asked: Asked) -> bool:
        """Whether it was held all the time that the request took."""
        if self.world.unsure(asked.sent, asked.done):
            return False
        return lease.since < asked.sent and asked.done < lease.until()

    def look(self) -> None:
        """A decision that was answered is on record, as it was."""
        if not self.recent:
            return
        decided = self.world.decisions.decided[self.rng.choice(self.recent)]
        asked = self.send("look-up", "GET", f"/v1/intents/{decided.id}")
        if asked.status == 404:
            self.missing(f"the decision {decided.id} ({decided.verdict})", decided.perhaps_lost, asked)
        elif asked.status == 200 and asked.json()["verdict"] != decided.verdict:
            found = asked.json()["verdict"]
            if not decided.perhaps_lost:
                self.world.findings.violation(
                    "lost record", f"{decided.id} was {decided.verdict}, and is {found}"
                )
        if asked.status == 200 and asked.json()["versions"]["law"] not in self.world.rules.known:
            rules = asked.json()["versions"]["law"]
            self.world.findings.violation("rules not turned", f"{decided.id} was decided by {rules}")

    # Lists

    def listed(self) -> str:
        """One of the few numbers that are on lists now."""
        return self.world.places.listed_number(self.rng, time.time())

    def stop(self) -> None:
        """A person does not want to be contacted, and says so until it is taken."""
        self.inbound("STOP", "opt_out", suppresses=True)

    def start(self) -> None:
        """A person wants to be contacted again."""
        self.inbound("START", "opt_in", suppresses=False)

    def inbound(self, words: str, action: str, *, suppresses: bool) -> None:
        """What the person wrote, handed in."""
        number = self.listed()
        key = f"message-{uuid.UUID(int=self.rng.getrandbits(128))}"
        message = {"from": number, "to": CALLER_ID, "body": words}
        asked = self.insist("inbound", "/v1/inbound-messages", message, key)
        taken = asked.status == 200 and asked.json()["action"] == action
        self.note(number, WISH, asked, suppresses=suppresses, taken=taken, what=words)

    def note(
        self, number: str, slot: str, asked: Asked, *, suppresses: bool, taken: bool, until: float | None = None,
        what: str = "",
    ) -> None:  # fmt: skip
        """A change that was taken, or of which nobody knows."""
        if taken or asked.unknown:
            change = Change(asked.sent, asked.done, suppresses, taken, until, what)
            self.world.note_change(number, slot, change)

    def until(self) -> float | None:
        """No end, or one that comes soon."""
        return None if self.rng.random() < 0.4 else round(time.time() + self.rng.uniform(2, 6), 3)

    def add(self) -> None:
        """POST: what is there already stays as it is, so an answer that is not known changes nothing for sure."""
        number, channel, until = self.listed(), self.rng.choice(CHANNELS), self.until()
        body = {"number": number, "channel": channel, "expires_at": _text(until), "reason": "asked"}
        asked = self.send("list POST", "POST", "/v1/suppressions", body, key=self.world.list_key)
        if asked.status == 201:
            self.note(
                number, channel, asked, suppresses=True, taken=True, until=until, what=f"POST {channel}"
            )

    def put(self) -> None:
        """PUT: as it is put, so it is."""
        number, channel, until = self.listed(), self.rng.choice(CHANNELS), self.until()
        body = {"channel": channel, "expires_at": _text(until), "reason": self.rng.choice(("", "crm"))}
        asked = self.send("list PUT", "PUT", f"/v1/suppressions/{number}", body, key=self.world.list_key)
        taken = asked.status in (200, 201)
        self.note(number, channel, asked, suppresses=True, taken=taken, until=until, what=f"PUT {channel}")

    def remove(self) -> None:
        """DELETE, of one channel or of all."""
        number, channel = self.listed(), self.rng.choice((None, *CHANNELS))
        query = "" if channel is None else f"?channel={channel}"
        path = f"/v1/suppressions/{number}{query}"
        asked = self.send("list DELETE", "DELETE", path, key=self.world.list_key)
        for slot in CHANNELS if channel is None else (channel,):
            self.note(number, slot, asked, suppresses=False, taken=asked.status == 204, what=f"DELETE {slot}")

    def import_list(self) -> None:
        """A file of several numbers, all with one end or none; often the same file twice, with a STOP in between."""
        channel, until = self.rng.choice(CHANNELS), self.until()
        numbers = sorted({self.listed() for _ in range(self.rng.randrange(2, 9))})
        self.import_once(numbers, channel, until)
        if self.rng.random() < 0.5:
            self.stop()
            self.import_once(numbers, channel, until)

    def import_once(self, numbers: list[str], channel: str, until: float | None) -> None:
        """All of the file or nothing of it."""
        head, end = (
            ("number,channel", "") if until is None else ("number,channel,expires_at", f",{_text(until)}")
        )
        file = "\n".join([head, *(f"{number},{channel}{end}" for number in numbers)]).encode()
        path = "/v1/suppressions/imports"
        asked = self.send("import", "POST", path, file, key=self.world.list_key, headers=CSV)
        status = self.job(asked, self.world.list_key, JOB_SECONDS) if asked.status == 202 else None
        if status == "failed":
            return
        if asked.status == 202 and status is None:
            asked = Asked(asked.sent, asked.done, None)
        for number in numbers:
            taken, what = status == "succeeded", f"import {channel}"
            self.note(number, channel, asked, suppresses=True, taken=taken, until=until, what=what)


def _text(until: float | None) -> str | None:
    return None if until is None else rfc3339(datetime.fromtimestamp(until, UTC))


class Load:
    """So many clients, from the one call to the other."""

    def __init__(self, world: World, seed: int, clients: int) -> None:
        self.recent: deque[str] = deque(maxlen=5000)
        self.calls: deque[tuple[float, str]] = deque()
        self.crashes: list[str] = []
        self._stop = threading.Event()
        self.clients = [Client(world, seed, place, self.recent, self.calls) for place in range(clients)]
        self._threads = [
            threading.Thread(target=self._run, args=(client,), daemon=True) for client in self.clients
        ]

    def _run(self, client: Client) -> None:
        while not self._stop.is_set():
            try:
                client.step()
            except Exception:
                self.crashes.append(traceback.format_exc())
                return
            time.sleep(client.rng.uniform(0.0, 0.02))

    def start(self) -> None:
        """All begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """All have answered or given up when this returns."""
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
