"""Thousands of replies by six carriers, repeated, forged and in any order: the list says what the genuine ones say.

`CALLGATE_TEST_REPLIES` sets how many; `make test-replies` takes 10,000.
"""

from __future__ import annotations

import http.client
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.contract.dialler import new_account
from tests.policy.account import Account
from tests.replies.carriers import NAMES, Carriers
from tests.service import RunningService

REPLIES = int(os.environ.get("CALLGATE_TEST_REPLIES", "420"))
LINES = 8  # at once
SAID = {
    "opt_out": ("STOP", "stop please", "Unsubscribe", "please stop texting me", "CANCEL"),
    "opt_in": ("START", "unstop", "start"),
    "help": ("HELP",),
    "none": ("See you at 5", "Thanks!", "Who is this?", "Yes"),
}
# Ours are signed and come once or several times; theirs are never right, each in its way.
FORGED = ("another secret", "another body", "stale", "no proof")


@dataclass
class Person:
    """What one number has sent so far, as the genuine messages say it."""

    number: str
    suppressed: bool = False
    delivered: list[tuple[str, str, str]] = field(default_factory=list)  # carrier, words, message's id


def everything(
    chance: random.Random, people: list[Person], carriers: Carriers
) -> Iterator[list[tuple[str, str, str, str, str]]]:
    """The webhooks of each person in the order in which they arrive: forged as, carrier, sender, words, id."""
    number = 0
    for person in people:
        arriving = []
        for _ in range(REPLIES // len(people)):
            number += 1
            kind = chance.random()
            name = chance.choice(NAMES)
            if kind < 0.2 and person.delivered:
                again = chance.choice(person.delivered)
                arriving.append(("", again[0], person.number, again[1], again[2]))
                continue
            action = chance.choices(list(SAID), weights=(4, 3, 1, 2))[0]
            words, message = chance.choice(SAID[action]), f"m-{number}"
            if kind < 0.45:
                arriving.append((chance.choice(FORGED), name, person.number, words, message))
                continue
            arriving.append(("", name, person.number, words, message))
            person.delivered.append((name, words, message))
            person.suppressed = {"opt_out": True, "opt_in": False}.get(action, person.suppressed)
        yield arriving


@pytest.mark.timeout(120 + REPLIES // 10)
def test_the_list_says_what_the_genuine_replies_say(gate: RunningService) -> None:
    account = Account(gate, new_account(gate, timeout_seconds=60).key)
    carriers = Carriers(gate.base_url, account.with_scopes("inbound:write").key)
    account.policy(inbound={"carriers": carriers.policy()})
    chance = random.Random(20261125)
    people = [Person(f"+1415555{number:04d}") for number in range(max(REPLIES // 14, LINES))]
    queues = list(everything(chance, people, carriers))
    answers: Counter[tuple[str, int]] = Counter()

    def deliver(lane: int) -> Counter[tuple[str, int]]:
        """Each person's webhooks in their order, those of many people among each other."""
        mixed = random.Random(lane)
        waiting = [list(reversed(queue)) for queue in queues[lane::LINES]]
        seen: Counter[tuple[str, int]] = Counter()
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
        while waiting:
            queue = mixed.choice(waiting)
            forged, name, sender, words, message = queue.pop()
            if not queue:
                waiting.remove(queue)
            signer = carriers.forger() if forged == "another secret" else carriers
            sent = (signer.late(4000) if forged == "stale" else signer).sent(name, sender, words, message)
            body, headers = sent.body, dict(sent.headers)
            if forged == "another body":
                body = body.replace(message.encode(), b"m-forged")
            if forged == "no proof" or (forged == "stale" and name not in ("telnyx", "vonage", "sinch")):
                headers = {"Content-Type": headers["Content-Type"]}
            if forged == "another body" and name == "bandwidth":
                headers["Authorization"] = "Basic Z2F0ZTpndWVzc2Vk"  # gate:guessed
            while True:
                connection.request("POST", sent.path, body, headers)
                response = connection.getresponse()
                response.read()
                if response.status != 429:
                    break
                time.sleep(int(response.headers["Retry-After"]))  # a key's requests of a minute are bounded
            seen[("forged" if forged else "genuine", response.status)] += 1
        connection.close()
        return seen

    with ThreadPoolExecutor(LINES) as pool:
        for seen in pool.map(deliver, range(LINES)):
            answers += seen
    assert set(answers) == {("genuine", 200), ("forged", 403)}, answers
    assert answers.total() == sum(map(len, queues)) == REPLIES // len(people) * len(people)

    lookup = []
    for start in range(0, len(people), 1000):
        numbers = {"numbers": [person.number for person in people[start : start + 1000]]}
        lookup += account.send("POST", "/v1/suppressions/lookup", numbers).json()["items"]
    found = {each["number"]: bool(each["suppressed"]) for each in lookup}
    assert found == {person.number: person.suppressed for person in people}
    assert {True, False} == set(found.values())
