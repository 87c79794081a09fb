"""A service whose URL names a primary and a standby, in either order, through restarts and a promotion."""

from __future__ import annotations

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


def test_a_standby_that_is_promoted_under_load_takes_over(pair: Pair, start_service: Start) -> None:
    """Commits wait for it, so nothing that was told is lost with the old primary."""
    service = start_service(database_url=pair.url(pair.primary, pair.standby), **PATIENT)
    dialler, number = trunk(service, 100_000)
    pair.run(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    pair.run(pair.primary, "SELECT pg_reload_conf()")
    time.sleep(0.5)
    with Load([dialler], number) as load:
        time.sleep(1)
        pair.primary.kill()
        time.sleep(0.5)
        (pair.standby.directory / "postgresql.auto.conf").write_text("")
        pair.promote()
        service.wait_for("/readyz")
        back = time.monotonic()
        time.sleep(2)
    assert set(load.statuses()) <= {201, 503}
    assert load.statuses(since=back + 0.5)[201] > 0
    agree(pair, pair.standby, load)
