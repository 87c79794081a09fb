"""A service whose URL names a primary and a standby, in either order, through restarts and a promotion."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from app.platform.embedded.postgres import EmbeddedPostgres
from tests.contract.dialler import call
from tests.faults.load import Load, trunk
from tests.platform.postgres.standby import Pair, pair_of
from tests.servers import Servers
from tests.service import PATIENT, RunningService

# Two servers and a service are made anew for each.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

Start = Callable[..., RunningService]


@pytest.fixture
def pair(servers: Servers) -> Iterator[Pair]:
    """A primary and its standby."""
    with pair_of(servers) as made:
        yield made


def agree(pair: Pair, server: EmbeddedPostgres, load: Load, seconds: float = 20) -> None:
    """Waits until the ledger holds what was told, and nothing else."""
    until = time.monotonic() + seconds
    while True:
        live = {row[0] for row in pair.run(server, "SELECT id::text FROM leases WHERE ended_at IS NULL")}
        recorded = pair.run(server, "SELECT id::text FROM decisions WHERE verdict = 'approved'")
        if live == {row[0] for row in recorded} == load.approved:
            return
        assert time.monotonic() < until, (len(live), len(recorded), len(load.approved))
        time.sleep(0.2)


def test_a_suppression_that_was_answered_is_in_force_although_the_standby_lags(
    pair: Pair, start_service: Start
) -> None:
    """The standby stands first in the URL and replays nothing."""
    service = start_service(database_url=pair.url(pair.standby, pair.primary), workers=2, **PATIENT)
    dialler, _ = trunk(service, 1000)
    pair.caught_up()
    pair.run(pair.standby, "SELECT pg_wal_replay_pause()")
    for _ in range(8):
        number = dialler.open_number()
        assert dialler.post("/v1/suppressions", {"number": number}).status == 201
        assert dialler.post("/v1/intents", call(number, pool="trunk")).status == 403


def test_a_primary_that_restarts_under_load_is_written_to_again_at_once(
    pair: Pair, start_service: Start
) -> None:
    service = start_service(database_url=pair.url(pair.primary, pair.standby), **PATIENT)
    dialler, number = trunk(service, 100_000)
    with Load([dialler], number) as load:
        time.sleep(1)
        pair.primary.stop()
        time.sleep(1.5)
        pair.primary.start()
        service.wait_for("/readyz")
        back = time.monotonic()
        time.sleep(2)
    assert set(load.statuses()) <= {201, 503}
    assert set(load.statuses(since=back + 0.5)) == {201}
    assert dialler.post("/v1/suppressions", {"number": dialler.open_number()}).status == 201
    agree(pair, pair.primary, load)


def first_approval(load: Load, since: float) -> float:
    """How long after an instant the first approval was told that had been asked for after it, in s."""
    return min(at for at, status, _ in load.told if status == 201 and at > since) - since


def test_a_standby_that_is_promoted_under_load_takes_over(pair: Pair, start_service: Start) -> None:
    """Commits wait for it: of what was told nothing is lost with the old primary, channels are exact, and calls are
    approved again within five seconds of the promotion, by the same processes."""
    service = start_service(database_url=pair.url(pair.primary, pair.standby), workers=2, **PATIENT)
    dialler, number = trunk(service, 100_000)
    pair.run(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    pair.run(pair.primary, "SELECT pg_reload_conf()")
    time.sleep(0.5)
    with Load([dialler], number) as load:
        time.sleep(1)
        pair.primary.kill()
        killed = time.monotonic()
        time.sleep(0.5)
        (pair.standby.directory / "postgresql.auto.conf").write_text("")
        pair.promote()
        promoted = time.monotonic()
        service.wait_for("/readyz")
        time.sleep(2)
    assert set(load.statuses()) <= {201, 503}
    back = first_approval(load, promoted)
    assert back <= 5
    agree(pair, pair.standby, load)
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == len(load.approved)
    assert "replaced" not in service.log
    sys.stdout.write(
        f"synchronous: {len(load.approved)} approvals told, 0 lost; {load.statuses(since=killed)[503]} answers of 503;"
        f" approved again {back:.1f} s after the promotion\n"
    )


def test_what_an_asynchronous_standby_had_not_received_is_lost_and_approves_nothing(
    pair: Pair, start_service: Start
) -> None:
    """The records of some approvals are gone with the primary. Their channels are not: the pool fills up to its
    capacity and no further, and who was told of them renews and releases."""
    service = start_service(database_url=pair.url(pair.primary, pair.standby), **PATIENT)
    dialler, number = trunk(service, 40)
    early = {dialler.approved(to=number, pool="trunk")["id"] for _ in range(8)}
    pair.caught_up()
    pair.run(pair.standby, "ALTER SYSTEM SET primary_conninfo = ''")
    pair.run(pair.standby, "SELECT pg_reload_conf()")
    while pair.run(pair.standby, "SELECT FROM pg_stat_wal_receiver"):
        time.sleep(0.05)
    late = {dialler.approved(to=number, pool="trunk")["id"] for _ in range(8)}
    pair.primary.kill()
    pair.promote()
    promoted = time.monotonic()
    service.wait_for("/readyz")
    with Load([dialler], number) as load:
        while len(load.approved) < 24 and time.monotonic() < promoted + 30:
            time.sleep(0.05)
        time.sleep(1)
    assert first_approval(load, promoted) <= 5
    assert len(load.approved) == 40 - len(early) - len(late)
    assert load.statuses()[429] > 0
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 40
    recorded = {str(row[0]) for row in pair.run(pair.standby, "SELECT id FROM decisions")}
    assert early <= recorded
    lost = late - recorded
    assert lost == late, "the standby had received none of them"
    for each in late:
        assert dialler.get(f"/v1/intents/{each}").status == 404, "a record that is lost is said to be"
        assert dialler.post(f"/v1/leases/{each}/renew", {"extend_by": 60}).status == 200
        assert dialler.delete(f"/v1/leases/{each}").status == 204
    assert dialler.get("/v1/pools/trunk").json()["in_use"] == 40 - len(late)
    sys.stdout.write(
        f"asynchronous: {len(lost)} of {len(early | late)} records lost, their channels held; 0 approved by it"
    )
