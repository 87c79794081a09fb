"""With OTEL_EXPORTER_OTLP_ENDPOINT set a decision is a trace: the caller's own, with one span a hop."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.contract.dialler import Dialler, new_account
from tests.servers import Servers
from tests.service import CHECKOUT, PATIENT, RunningService

messages = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes spans as an OTLP collector does, over HTTP."""

    def __init__(self) -> None:
        collector = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.spans: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        request = messages.ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    ids = {
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                    }
                    said = {each.key: str(each.value) for each in span.attributes}
                    self.spans.append({"name": span.name, **ids, "said": str(said)})

    def of(self, trace: str, *, at_least: int, seconds: float = 15) -> list[dict[str, str]]:
        """The spans of the trace, once there are so many."""
        until = time.monotonic() + seconds
        while len(found := [span for span in self.spans if span["trace"] == trace]) < at_least:
            assert time.monotonic() < until, self.spans
            time.sleep(0.1)
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_decision_is_one_trace_of_the_callers_with_a_span_a_hop(
    collector: Collector, servers: Servers, database_url: str, redis_url: str
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    settings = {"database_url": database_url, "redis_url": redis_url, **PATIENT}
    with RunningService(settings, environment=environment) as service:
        account = new_account(service)
        account.approved()  # and the account's channels are in Redis
        number = account.open_number()
        parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert account.call(to=number, headers=parent).status == 201
        spans = collector.of(TRACE, at_least=4)
        server = next(span for span in spans if span["name"] == "POST /v1/intents")
        assert server["parent"] == PARENT
        hops = sorted(span["name"] for span in spans if span is not server)
        assert hops == ["postgresql", "postgresql", "redis"], "facts, the channel, the record"
        assert {span["parent"] for span in spans if span is not server} == {server["id"]}
        assert "/livez" not in str(collector.spans)
        assert number not in str(collector.spans)
        assert Dialler(service, "cg_nobody-has-this-key-0000").call(to=number, headers=parent).status == 401


def test_where_no_endpoint_is_set_no_way_to_a_store_is_wrapped_and_no_tracing_is_loaded() -> None:
    program = """
import sys, app.main, app.serve
from app.platform.postgres.request_batcher import RequestBatcher
from app.platform.postgres.database import Database
from app.platform.redis.router import RedisRouter
ways = (RequestBatcher.ask, Database.run, RedisRouter.call)
sys.exit('app.tracing' in sys.modules or any(hasattr(way, '__wrapped__') for way in ways))
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, check=False).returncode == 0
