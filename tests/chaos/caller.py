"""One caller's way of asking: random requests to either replica, each looked at beside the records."""

from __future__ import annotations

import random
import time
import uuid
from collections import deque
from typing import Any

from tests.chaos import registries
from tests.chaos.decisions import Decided, Held
from tests.chaos.world import LEASE_SECONDS, TRUNK, World
from tests.contract.dialler import call, instant, sms
from tests.service import Answer

TIMEOUT_SECONDS = 15.0
TRIES = 5
GAMBLING = "Best online casino bonus: 100 free spins, bet now on tonight's game!"
Body = dict[str, object]


class Asked:
    """An answer, with when the request was first sent and when the answer was there. None: there was none."""

    def __init__(self, sent: float, done: float, answer: Answer | None) -> None:
        self.sent, self.done, self.answer = sent, done, answer

    @property
    def status(self) -> int:
        """The status; 0 for silence."""
        return self.answer.status if self.answer is not None else 0

    def json(self) -> Any:
        """The body of the answer that is there."""
        assert self.answer is not None
        return self.answer.json()

    @property
    def unknown(self) -> bool:
        """Whether nobody can say if what was asked has been done."""
        return self.status in (0, 409, 503)


class Caller:
    """Sends, counts, and judges what decisions are answered."""

    def __init__(
        self, world: World, rng: random.Random, recent: deque[str], calls: deque[tuple[float, str]]
    ) -> None:
        self.world, self.rng = world, rng
        self.recent, self.calls = recent, calls

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = "",
        headers: Any = None,
    ) -> Asked:
        """One request to one of the replicas; the answer is checked against what is documented."""
        world, findings = self.world, self.world.findings
        dialler = self.rng.choice(world.replicas).dialler(key or world.key)
        sent, excused = time.time(), world.disturbed
        try:
            answer = dialler.send(method, path, body, headers=headers, timeout_seconds=TIMEOUT_SECONDS)
        except OSError as error:
            done = time.time()
            findings.answered(operation, "silence")
            if not excused and not world.disturbed:
                findings.violation(
                    "unexplained silence", f"{method} {path}: {error!r} after {done - sent:.1f} s"
                )
            return Asked(sent, done, None)
        findings.answered(operation, str(answer.status))
        world.documented.check(method, path, answer)
        return Asked(sent, time.time(), answer)

    def insist(self, operation: str, path: str, body: object, key: str, **options: Any) -> Asked:
        """POST under an Idempotency-Key, again until there is an answer that says what happened; or the last one."""
        options["headers"] = {"Idempotency-Key": key, **(options.get("headers") or {})}
        first: float | None = None
        for tried in range(TRIES):
            asked = self.send(operation, "POST", path, body, **options)
            first = asked.sent if first is None else first
            if not asked.unknown:
                break
            time.sleep(self.rng.uniform(0.05, 0.2) * 2**tried)
        asked.sent = first or asked.sent
        return asked

    # What is asked

    def number(self) -> str:
        """Mostly one that may be called; some on lists, some whose window is closed."""
        drawn, now = self.rng.random(), time.time()
        if drawn < 0.42:
            return self.world.places.open_number(self.rng, now)
        if drawn < 0.45:
            return registries.drawn(self.rng)
        if drawn < 0.92:
            return self.world.places.listed_number(self.rng, now, wide=True)
        return self.world.places.closed_number(self.rng, now)

    def body(self) -> Body:
        """A call on the trunk or a text, some with words that are refused."""
        if self.rng.random() < 0.6:
            return call(self.number(), pool=TRUNK, max_duration=LEASE_SECONDS)
        return sms(self.number(), **({"body": GAMBLING} if self.rng.random() < 0.1 else {}))

    def intent(self) -> None:
        """One intent, half of them under a key and sent again until it is answered."""
        body = self.body()
        if self.rng.random() < 0.5:
            key = f"intent-{uuid.UUID(int=self.rng.getrandbits(128))}"
            asked = self.insist("intent", "/v1/intents", body, key)
        else:
            key, asked = "", self.send("intent", "POST", "/v1/intents", body)
        if asked.answer is not None:
            self.evaluate_intent(body, asked.status, asked.json(), asked)
        if key and asked.status == 201:
            self.one_decision(key, asked)
            if self.rng.random() < 0.2:
                time.sleep(self.rng.uniform(0, 1))
                again = self.insist("intent", "/v1/intents", body, key)
                if again.status == 201:
                    again.sent = asked.sent
                    self.one_decision(key, again)

    def one_decision(self, key: str, asked: Asked) -> None:
        """One key is one decision."""
        intent_id = str(asked.json()["id"])
        other = self.world.decisions.same_key(key, intent_id, asked.done)
        if other is not None and not self.world.unsure(asked.sent, asked.done):
            self.world.findings.violation("decided twice", f"{key} was {other}, and then {intent_id}")

    def batch(self) -> None:
        """A few at once, half of the batches under a key."""
        bodies = [self.body() for _ in range(self.rng.randrange(2, 7))]
        if self.rng.random() < 0.5:
            key = f"batch-{uuid.UUID(int=self.rng.getrandbits(128))}"
            asked = self.insist("batch", "/v1/intents/batch", {"intents": bodies}, key)
        else:
            asked = self.send("batch", "POST", "/v1/intents/batch", {"intents": bodies})
        if asked.status == 200:
            for body, item in zip(bodies, asked.json()["results"], strict=True):
                self.world.documented.check_item(item["status"], item["body"])
                self.world.findings.answered("batch item", str(item["status"]))
                self.evaluate_intent(body, item["status"], item["body"], asked)

    def preview(self) -> None:
        """What would be decided must not be an approval that would be wrong."""
        body = self.body()
        asked = self.send("preview", "POST", "/v1/intents/preview", body)
        if asked.status == 200 and asked.json()["verdict"] == "approved":
            self.wrong(body, asked, "a preview")

    # How it is judged

    def evaluate_intent(self, body: Body, status: int, document: Any, asked: Asked) -> None:
        """Looks at a decision beside the records, and notes it there."""
        intent_id = document.get("id") if status == 201 else document.get("intent_id")
        if intent_id is None:
            return
        world, number = self.world, str(body["to"])
        # What is noted late is noted as if it had stood there when Postgres lost its memory.
        unsure = world.unsure(asked.sent, asked.done) or world.perhaps_lost(asked.done)
        verdict = "approved" if status == 201 else "blocked"
        decided = Decided(intent_id, verdict, number, asked.sent, asked.done, perhaps_lost=unsure)
        before = world.decisions.decide(decided)
        if before is not None:
            world.findings.violation("lost record", f"{intent_id} was {before.verdict}, and is {verdict}")
        self.recent.append(intent_id)
        if status != 201:
            self.wrongly_listed(number, document, intent_id)
            return
        self.wrong(body, asked, f"intent {intent_id}")
        if body["type"] == "call":
            end = instant(document["lease"]["expires_at"]).timestamp()
            lease = Held(intent_id, TRUNK, asked.done, [(asked.sent, asked.done, end)], asked.sent)
            lease.gone_at = asked.done if unsure else None
            world.decisions.hold(lease)
            if self.rng.random() > 0.003:  # the others hang up without a word
                self.calls.append((asked.done + self.rng.uniform(0.05, 0.8), intent_id))

    def wrongly_listed(self, number: str, document: Any, intent_id: str) -> None:
        """A refusal for a registry that never had the number."""
        if registries.is_listed(number):
            return
        for violation in document.get("violations", ()):
            if violation.get("registry") == registries.NAME:
                self.world.findings.violation(
                    "wrong refusal: registry", f"{intent_id}, {number}: {violation}"
                )

    def wrong(self, body: Body, asked: Asked, what: str) -> None:
        """Whether it should not have been approved."""
        world, number, kind = self.world, str(body["to"]), str(body["type"])
        if world.unsure(asked.sent, asked.done):
            return
        if (why := world.lists.surely_suppressed(number, kind, asked.sent, asked.done)) is not None:
            story = world.lists.story(number, asked.done)
            example = f"{what}, {kind} to {number}: {why}; the number's changes: {story}"
            world.findings.violation("wrong approval: suppressed", example)
        if world.places.surely_closed(number, asked.sent, asked.done):
            world.findings.violation("wrong approval: window", f"{what}, {kind} to {number}")
        if world.registered.surely_binds(number, asked.sent, asked.done):
            world.findings.violation("wrong approval: registry", f"{what}, {kind} to {number}")
        if body.get("body") == GAMBLING:
            world.findings.violation("wrong approval: content", f"{what} to {number}")

    def missing(self, what: str, perhaps_lost: bool, asked: Asked) -> None:
        """404 to what was answered before."""
        if not perhaps_lost and not self.world.unsure(asked.sent, asked.done):
            self.world.findings.violation("lost record", f"{what} is not found")

    def job(self, asked: Asked, key: str, seconds: float) -> str | None:
        """How a list that was taken in ended, and with ``asked.done`` when; None when nobody says."""
        assert asked.answer is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            told = self.send("job", "GET", asked.answer.headers["location"], key=key)
            if told.status == 404:
                self.missing("a job that was answered 202", self.world.perhaps_lost(asked.done), told)
                return None
            if told.status == 200 and told.json()["status"] != "running":
                asked.done = told.done
                return str(told.json()["status"])
            time.sleep(0.1)
        return None
