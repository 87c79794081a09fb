"""Lists go in and out on connections of their own, which must not outlive their server."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.dialler import Dialler
from tests.servers import Servers
from tests.service import PATIENT, RunningService


def test_lists_go_in_and_out_right_after_postgres_was_restarted(
    start_service: Callable[..., RunningService], breakable_servers: Servers
) -> None:
    service = start_service(**PATIENT)
    dialler = Dialler(service, service.key)
    csv = {"Content-Type": "text/csv"}

    def statuses() -> list[int]:
        return [
            dialler.get("/v1/suppressions/export").status,
            dialler.send("POST", "/v1/suppressions/imports", b"number\n+14155550101\n", headers=csv).status,
            dialler.send("POST", "/v1/scrub", b"number\n+14155550101\n", headers=csv).status,
            dialler.send("PUT", "/v1/registries/ours", {"kind": "custom"}).status // 100,
            dialler.send("DELETE", "/v1/registries/ours").status,
        ]

    assert statuses() == [200, 202, 200, 2, 204]
    for fall in (breakable_servers.stop_postgres, breakable_servers.kill_postgres):
        fall()
        assert statuses() == [503, 503, 503, 5, 503]
        breakable_servers.start_postgres()
        service.wait_for("/readyz")
        assert statuses() == [200, 202, 200, 2, 204]
