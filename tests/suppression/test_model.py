"""A number's life on the list against a plain model, over HTTP on real stores, by two processes in turns.

Steps are drawn at random: entries added, put, removed, let expire and imported, people who write STOP and START, an
admin who removes a wish, under every spelling of a line, and look-ups between. After every step the list is what the
model says, and at the end so is the history, step by step. What a STOP asked for only a START or the admin ends.
"""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.clock import utc_now
from app.numbering import canonical
from tests.contract.dialler import Dialler, call, instant, new_account, rfc3339, sms
from tests.contract.streams import imported
from tests.servers import Servers
from tests.service import PATIENT, RunningService
from tests.suppression.model import CHANNELS, Held, Model

PLAIN, LINE, OTHER = "+14155550401", "+5491155550402", "+541155550402"
NUMBERS = (PLAIN, LINE)
LONG = datetime.fromisoformat("2199-01-01T00:00:00+00:00")
SOON = timedelta(seconds=0.7)


number = st.sampled_from(NUMBERS)
channel = st.sampled_from(CHANNELS)
reason = st.sampled_from(["", "asked", "=1+1", 'a "quoted", reason', "O'Neil"])
source = st.sampled_from(["manual", "crm", "opt_out"])
end = st.sampled_from([None, None, LONG, SOON])
entry = st.fixed_dictionaries({"reason": reason, "source": source, "end": end})
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), number, channel, entry),
        st.tuples(st.just("put"), number, channel, entry),
        st.tuples(st.just("remove"), number, st.sampled_from([None, *CHANNELS]), reason),
        st.tuples(st.just("admin"), number, st.sampled_from(["", "paper"])),
        st.tuples(st.just("import"), st.lists(st.tuples(number, channel, st.none() | reason), max_size=4)),
        st.tuples(st.just("stop"), number, st.sampled_from(["STOP", "please stop texting me"])),
        st.tuples(st.just("start"), number),
        st.tuples(st.just("wait")),
    ),
    min_size=1,
    max_size=12,
)
SPELLED = st.randoms(use_true_random=False)


class Life:
    """A new account's list, beside its model. Every request goes to one of the services, in one of the spellings."""

    def __init__(self, services: Sequence[RunningService], dice: random.Random) -> None:
        admin = new_account(services[0])
        clerk = admin.with_key("suppressions:read", "suppressions:write", "inbound:write", "intents:write")
        self.admins = [admin.on(service) for service in services]
        self.clerks = [clerk.on(service) for service in services]
        self.model, self.dice = Model(), dice

    @property
    def account(self) -> Dialler:
        """A key that may change the list and is no admin, on either service."""
        return self.dice.choice(self.clerks)

    def spelled(self, number: str) -> str:
        """The number in one of its spellings."""
        return self.dice.choice([number, OTHER]) if number == LINE else number

    def body(self, fields: dict[str, object]) -> tuple[dict[str, object], Held]:
        """The fields of a request, and the entry that they mean."""
        until = fields["end"]
        if isinstance(until, timedelta):
            until = instant(rfc3339(utc_now() + until))
        assert until is None or isinstance(until, datetime)
        held = Held(str(fields["reason"]), str(fields["source"]), until)
        sent: dict[str, object] = {
            "reason": held.reason,
            "source": held.source,
            "expires_at": rfc3339(until) if until else None,
        }
        return sent, held

    def add(self, number: str, channel: str, fields: dict[str, object]) -> None:
        """POST."""
        sent, held = self.body(fields)
        answer = self.account.post(
            "/v1/suppressions", {"number": self.spelled(number), "channel": channel, **sent}
        )
        assert answer.status == (201 if self.model.add(number, channel, held) else 409), answer.body

    def put(self, number: str, channel: str, fields: dict[str, object]) -> None:
        """PUT."""
        sent, held = self.body(fields)
        answer = self.account.put(f"/v1/suppressions/{self.spelled(number)}", {"channel": channel, **sent})
        assert answer.status == (201 if self.model.put(number, channel, held) else 200), answer.body

    def remove(self, number: str, channel: str | None, reason: str) -> None:
        """DELETE, of one channel or of all."""
        query = f"?channel={channel}" if channel else "?"
        if reason.isalpha():
            query += f"&reason={reason}"
        else:
            reason = ""
        answer = self.account.delete(f"/v1/suppressions/{self.spelled(number)}{query}")
        channels = (channel,) if channel else tuple(sorted(CHANNELS))
        stands = number in self.model.wishes
        if self.model.remove(number, channels, reason):
            assert answer.status == 204, answer.body
            assert ("opt-out-stands" in answer.headers) == stands
        else:
            assert answer.status == (409 if stands and "all" in channels else 404), answer.body

    def admin(self, number: str, reason: str) -> None:
        """DELETE by an admin, who has to say why before a wish goes."""
        admin = self.dice.choice(self.admins)
        answer = admin.delete(f"/v1/suppressions/{self.spelled(number)}?reason={reason}")
        removed = self.model.remove(number, tuple(sorted(CHANNELS)), reason)
        stands = number in self.model.wishes
        lifted = bool(reason) and self.model.lift(number, reason)
        wanted = 204 if removed or lifted else 409 if stands else 404
        assert answer.status == wanted, answer.body

    def import_(self, lines: list[tuple[str, str, str | None]]) -> None:
        """A file whose lines say a reason, or leave it as it is; NDJSON can tell the two apart."""
        spelled = {key: self.as_listed(*key) for key in dict.fromkeys((n, c) for n, c, _ in lines)}
        sent = [
            {"number": spelled[n, c], "channel": c} | ({"reason": r} if r is not None else {})
            for n, c, r in lines
        ]
        job = imported(
            self.account, "\n".join(json.dumps(line) for line in sent).encode(), kind="application/x-ndjson"
        )
        assert job["status"] == "succeeded", job
        newest = {(n, c): r for n, c, r in lines}
        new, there = [key for key in newest if key not in self.model.entries], dict(self.model.entries)
        for key, told in sorted(newest.items(), key=lambda item: (item[0] not in new, item[0])):
            held = there.get(key, Held("", "import", None))
            self.model.put(
                *key,
                replace(held, reason=held.reason if told is None else told, expires_at=None),
                by_list=True,
            )
        assert job["added"] == len(new)
        assert job["changed"] == sum(self.model.entries[k] != there[k] for k in newest if k in there)
        assert job["added"] + job["changed"] + job["unchanged"] == len(lines)

    def as_listed(self, number: str, channel: str) -> str:
        """The spelling that the list has, since an import keeps its file's; another would be a second entry."""
        listed = self.account.get("/v1/suppressions").json()["items"]
        for entry in listed:
            if (canonical(entry["number"]), entry["channel"]) == (number, channel) and not entry[
                "opted_out_at"
            ]:
                return str(entry["number"])
        return self.spelled(number)

    def inbound(self, number: str, words: str) -> None:
        """What the person writes."""
        message = {"from": self.spelled(number), "to": "+12125550100", "body": words}
        answer = self.account.post("/v1/inbound-messages", message).json()
        if words == "START":
            assert answer["action"] == "opt_in"
            self.model.lift(number, words)
        else:
            assert answer["action"] == "opt_out"
            self.model.stop(number, words)

    def check(self) -> None:
        """The list, the look-up, the decision and the export agree with the model."""
        self.model.expire(utc_now())
        soonest = min((h.expires_at for h in self.model.entries.values() if h.expires_at), default=LONG)
        try:
            self._agree()
        except AssertionError:
            if soonest > utc_now():
                raise  # else something expired while it was asked, which could be answered either way

    def _agree(self) -> None:
        listed = self.account.get("/v1/suppressions").json()["items"]
        assert {
            (canonical(e["number"]), e["channel"]): Held(
                e["reason"], e["source"], instant(e["expires_at"]) if e["expires_at"] else None
            )
            for e in listed
            if e["opted_out_at"] is None
        } == self.model.entries
        assert {
            canonical(e["number"]): e["reason"] for e in listed if e["opted_out_at"] is not None
        } == self.model.wishes
        assert len(listed) == len(self.model.entries) + len(self.model.wishes)
        asked = [self.spelled(n) for n in NUMBERS]
        items = self.account.post("/v1/suppressions/lookup", {"numbers": asked}).json()["items"]
        for n, item in zip(NUMBERS, items, strict=True):
            channels = {c for m, c in self.model.entries if m == n}
            if n in self.model.wishes:
                channels.add("all")
            assert {found["channel"] for found in item["entries"]} == channels
            for make, kind in ((call, "call"), (sms, "sms")):
                preview = self.account.post("/v1/intents/preview", make(self.spelled(n))).json()
                blocked = any(v["code"] == "DNC_BLOCKED" for v in preview["violations"])
                assert blocked == bool(channels & {kind, "all"}), (n, kind, channels)
        exported = self.account.get("/v1/suppressions/export").body.decode()
        rows = list(csv.DictReader(io.StringIO(exported, newline="")))
        wishes = [(number, "all") for number in self.model.wishes]
        told = sorted((canonical(row["number"]), row["channel"]) for row in rows)
        assert told == sorted([*self.model.entries, *wishes])

    def check_history(self) -> None:
        """Every step of each number, in order, and nothing else."""
        for n in NUMBERS:
            events = self.account.get(f"/v1/suppressions/{self.spelled(n)}/history?limit=500").json()["items"]
            moments = [instant(event["at"]) for event in events]
            assert moments == sorted(moments)
            for c in CHANNELS:  # steps of one moment have no order among channels
                told = [(e["action"], e["reason"], e["source"]) for e in events if e["channel"] == c]
                meant = [(a, r, s) for m, d, a, r, s in self.model.history if (m, d) == (n, c)]
                assert in_steps(told) == in_steps(meant), (n, c)


def in_steps(events: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """The events; what one step took away together, a wish and an entry beside it, has no order within itself."""
    steps: list[list[tuple[str, str, str]]] = []
    for event in events:
        if steps and event[0] == "removed" and steps[-1][-1][:2] == event[:2]:
            steps[-1] = sorted([*steps[-1], event])
        else:
            steps.append([event])
    return steps


@pytest.fixture
def replicas(
    gate: RunningService, gate_database: str, servers: Servers
) -> Iterator[Sequence[RunningService]]:
    """The shared service and a second one on the same stores."""
    url = servers.database_url(gate_database)
    second = {"database_url": url, "redis_url": servers.redis_url, "bootstrap_key": gate.key, **PATIENT}
    with RunningService(second) as running:
        yield (gate, running)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, dice=SPELLED)
def test_the_list_and_its_history_agree_with_a_model(
    replicas: Sequence[RunningService], steps: list[tuple[object, ...]], dice: random.Random
) -> None:
    life = Life(replicas, dice)
    for name, *given_ in steps:
        life.model.expire(utc_now())
        soonest = min((h.expires_at for h in life.model.entries.values() if h.expires_at), default=LONG)
        if name == "wait" or soonest < utc_now() + timedelta(seconds=0.4):
            # So that no step falls on the moment at which an entry expires.
            while soonest < LONG and utc_now() <= soonest:
                time.sleep(0.02)
            life.model.expire(utc_now())
        match name:
            case "add":
                life.add(*given_)  # type: ignore[arg-type]
            case "put":
                life.put(*given_)  # type: ignore[arg-type]
            case "remove":
                life.remove(*given_)  # type: ignore[arg-type]
            case "admin":
                life.admin(*given_)  # type: ignore[arg-type]
            case "import":
                life.import_(*given_)  # type: ignore[arg-type]
            case "stop":
                life.inbound(*given_)  # type: ignore[arg-type]
            case "start":
                life.inbound(str(given_[0]), "START")
        life.check()
    latest = max(
        (h.expires_at for h in life.model.entries.values() if h.expires_at and h.expires_at < LONG),
        default=None,
    )
    while latest is not None and utc_now() <= latest:
        time.sleep(0.02)
    life.model.expire(utc_now())
    life.check()
    life.check_history()
