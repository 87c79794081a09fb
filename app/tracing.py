"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT is set: one span a request, and one a hop to a store.

Where it is not set nothing here is imported by anybody, and nothing of the service is touched. Where it is, the ways
to the stores are wrapped once, when the process starts. The packages are those of the extra ``callgate[otel]``, and
read the rest of their environment themselves (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER …).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import VERSION
from app.platform.postgres.database import Database
from app.platform.postgres.request_batcher import RequestBatcher
from app.platform.redis.router import RedisRouter

T = TypeVar("T")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_READ = TraceContextTextMapPropagator()


class Tracing:
    """The application, with a span about each of its requests. ``close`` sends what is left."""

    def __init__(self, app: ASGIApp) -> None:
        resource = Resource.create({"service.name": "callgate", "service.version": VERSION})
        self.app, self.provider = app, TracerProvider(resource=resource)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer("callgate", VERSION)
        _wrap_the_stores(self.tracer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                self.provider.shutdown()
            return
        if scope["path"] in _PROBES:
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        # The address is told when it is known which route it is: it may hold a number.
        with self.tracer.start_as_current_span(
            scope["method"], context=_READ.extract(headers), kind=SpanKind.SERVER
        ) as span:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            span.set_attribute("http.request.method", scope["method"])
            try:
                await self.app(scope, receive, told)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                span.set_attribute("callgate.request_id", scope.get("state", {}).get("request_id", ""))


def _wrap_the_stores(tracer: Tracer) -> None:
    for owner, name, store in (
        (RequestBatcher, "ask", "postgresql"),
        (Database, "run", "postgresql"),
        (RedisRouter, "call", "redis"),
    ):
        setattr(owner, name, _hop(tracer, store, getattr(owner, name)))
    setattr(Database, "begin", _transaction(tracer, Database.begin))  # noqa: B010


def _hop(tracer: Tracer, store: str, work: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """The same, in a span where a request is under way: upkeep begins no traces of its own."""

    @functools.wraps(work)
    async def traced(*given: Any, **named: Any) -> T:
        if not trace.get_current_span().get_span_context().is_valid:
            return await work(*given, **named)
        with tracer.start_as_current_span(store, kind=SpanKind.CLIENT, attributes={"db.system.name": store}):
            return await work(*given, **named)

    return traced


def _transaction(
    tracer: Tracer, begin: Callable[..., AbstractAsyncContextManager[T]]
) -> Callable[..., AbstractAsyncContextManager[T]]:
    @asynccontextmanager
    async def traced(*given: Any, **named: Any) -> Any:
        if not trace.get_current_span().get_span_context().is_valid:
            async with begin(*given, **named) as connection:
                yield connection
            return
        with tracer.start_as_current_span(
            "postgresql", kind=SpanKind.CLIENT, attributes={"db.system.name": "postgresql"}
        ):
            async with begin(*given, **named) as connection:
                yield connection

    return traced
