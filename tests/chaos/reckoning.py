"""The end of a run: all channels given back, every answered decision on record, every suppression in force."""

from __future__ import annotations

import random
import time

from tests.chaos.clients import Load
from tests.chaos.world import LEASE_SECONDS, PROBES, TRUNK, World

RENEWED_SECONDS = 20.0  # what renewals may have added to a lease that nobody gave back
TOLD_SECONDS = 60.0  # a receiver that was away rests for some seconds, and longer each time
LOOKED_UP = 150
NUMBERS_LOOKED_UP = 5000
LIVE = """
    SELECT pool, count(*) AS live, count(*) FILTER (WHERE expires_at > now() + interval '2 minutes') AS long
      FROM leases WHERE ended_at IS NULL AND expires_at > now() AND pool = ANY ($1) GROUP BY pool
"""


def reckon(world: World, load: Load) -> None:
    """Everything that has to be so once all is quiet; what is not is a violation."""
    findings = world.findings
    findings.log("the reckoning: all calls end")
    world.over_capacity()
    ended = time.time()
    client = load.clients[0]
    for lease in world.decisions.live():
        client.release_one(lease.id)
    _suppressions(world)
    _records(world)
    _events(world)
    _channels(world, ended)


def _channels(world: World, ended: float) -> None:
    """Whoever was told of a channel has given it back; who was not waits for the lease's end. Then nothing is held."""
    findings, dialler = world.findings, world.replicas[0].dialler(world.key)
    until = ended + LEASE_SECONDS + RENEWED_SECONDS
    names = (TRUNK, PROBES)

    def in_use() -> dict[str, int]:
        answers = {name: dialler.get(f"/v1/pools/{name}") for name in names}
        return {name: answer.json().get("in_use", -1) for name, answer in answers.items()}

    findings.log("channels: waiting until the last lease has ended by itself")
    while any(held := in_use().values()) and time.time() < until:
        time.sleep(0.5)
    held_now = in_use()
    if not any(held):
        findings.log(f"channels: none in use {time.time() - ended:.0f} s after the last call")
        return
    # A replica whose clock was ahead grants leases that end later, by two hours at most (docs/channels.md). Where
    # nobody was told of such a one, it is the ledger that says so.
    rows = {row["pool"]: row for row in world.stores.ledger(LIVE, list(names))}
    for name, count in held_now.items():
        long = int(rows[name]["long"]) if name in rows else 0
        if count > long:
            findings.violation(
                "leaked channel", f"{count} of {name} in use, {long} of them by leases that last on"
            )
        elif count:
            findings.note("leases of a replica whose clock was ahead, which last on", count)
        answer = dialler.post(f"/v1/pools/{name}/reconcile", {"active": []})
        after = in_use()[name]
        if answer.status != 200 or after:
            findings.violation(
                "leaked channel", f"after a reconciliation ({answer.status}) {after} of {name} in use"
            )


def _records(world: World) -> None:
    """Each decision that was answered, in the ledger; and some of them by the look-up that an auditor would use."""
    findings = world.findings
    decided = world.decisions.decided
    ids = [each.id for each in decided.values() if not each.perhaps_lost]
    found: dict[str, str] = {}
    for start in range(0, len(ids), 5000):
        query = "SELECT id::text AS id, verdict FROM decisions WHERE id = ANY ($1::uuid[])"
        found |= {row["id"]: row["verdict"] for row in world.stores.ledger(query, ids[start : start + 5000])}
    for intent_id in ids:
        verdict = found.get(intent_id)
        if verdict != decided[intent_id].verdict:
            findings.violation(
                "lost record", f"{intent_id} was {decided[intent_id].verdict}, and is {verdict}"
            )
    dialler = world.replicas[-1].dialler(world.key)
    for intent_id in random.Random(len(ids)).sample(ids, k=min(LOOKED_UP, len(ids))):
        answer = dialler.get(f"/v1/intents/{intent_id}")
        if answer.status != 200 or answer.json()["verdict"] != decided[intent_id].verdict:
            findings.violation("lost record", f"the look-up of {intent_id} answered {answer.status}")
    findings.log(f"records: {len(ids)} decisions of {len(decided)} must be there, {len(found)} are")


def _events(world: World) -> None:
    """Everything that was answered has been told, in the order of each number, and nobody else has told anything."""
    findings, until = world.findings, time.monotonic() + TOLD_SECONDS
    world.receiver.answering = lambda _: 204
    while (missing := list(world.events.missing(world.told(), world.lost))) and time.monotonic() < until:
        time.sleep(0.5)
    for example in missing:
        findings.violation("lost event", example)
    for example in world.events.out_of_order(world.told(), world.lost):
        findings.violation("event out of order", example)
    if world.receiver.unverified:
        findings.violation("forged event", f"{world.receiver.unverified} signatures do not verify")
    taken = len(world.receiver.taken)
    distinct = len({event["id"] for event in world.receiver.taken})
    findings.log(
        f"events: {world.events.counted(world.lost)} STOPs and STARTs must have been told; {distinct} events came, "
        f"{len(world.receiver.seen)} deliveries, {taken - distinct} of them again"
    )
    findings.note("events that a receiver has been told", distinct)


def _suppressions(world: World) -> None:
    """What suppresses a number surely is on its list."""
    numbers = world.lists.numbers()[-NUMBERS_LOOKED_UP:]
    if not numbers:
        return
    sent = time.time()
    answer = world.replicas[0].dialler(world.key).post("/v1/suppressions/lookup", {"numbers": numbers})
    if answer.status != 200:
        world.findings.violation("lost suppression", f"the look-up answered {answer.status}")
        return
    surely = 0
    for number, item in zip(numbers, answer.json()["items"], strict=True):
        channels = {entry["channel"] for entry in item["entries"]}
        for kind in ("call", "sms"):
            why = world.lists.surely_suppressed(number, kind, sent, time.time())
            if why is not None:
                surely += 1
                if not channels & {kind, "all"}:
                    story = world.lists.story(number, sent)
                    example = (
                        f"{number} for {kind}: {why}; it has {channels or 'nothing'}; its changes: {story}"
                    )
                    world.findings.violation("lost suppression", example)
    world.findings.log(f"suppressions: {surely} of {2 * len(numbers)} must be in force")
