"""Logs and metrics. Nothing here, and nothing that is logged, holds a key or a whole phone number."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_SECRET = re.compile(r"cg_[A-Za-z0-9_-]{8,}")
_NUMBER = re.compile(r"\+\d{5,13}(?=\d{2}(?!\d))")

REQUESTS = Counter("callgate_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "callgate_http_request_seconds",
    "Time to answer a request, in seconds.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
DECISIONS = Counter(
    "callgate_decisions_total",
    "Decisions recorded. code: the one that the answer carries, empty for an approval.",
    ["type", "verdict", "code"],
)
REFUSALS = Counter(
    "callgate_refusals_total",
    "Decisions recorded that were refused for this reason, among others.",
    ["type", "code"],
)
REGISTRY_IN_FORCE = Gauge(
    "callgate_registry_in_force",
    "1 once a list was loaded into the registry; 0 before, when it binds nobody.",
    ["registry"],
    multiprocess_mode="mostrecent",
)
REGISTRY_AGE = Gauge(
    "callgate_registry_age_days",
    "Age of a registry's version in days.",
    ["registry"],
    multiprocess_mode="mostrecent",
)
REGISTRY_DAYS_LEFT = Gauge(
    "callgate_registry_days_left",
    "Days until a registry is too old and its guardrail fails closed.",
    ["registry"],
    multiprocess_mode="mostrecent",
)
SEALS_BEHIND = Gauge(
    "callgate_seals_behind_hours",
    "Hours that are over and not sealed yet.",
    multiprocess_mode="mostrecent",
)
EVENTS_DELIVERED = Counter("callgate_events_delivered_total", "Events that a webhook's receiver took.")
EVENTS_FAILED = Counter("callgate_events_failed_total", "Tries to tell a webhook of an event that failed.")
EVENTS_DEAD = Counter("callgate_events_dead_total", "Events that a webhook was told in vain for three days.")
EVENTS_BACKLOG = Gauge(
    "callgate_events_backlog",
    "Events that webhooks have still to be told, those that failed and are tried again among them.",
    multiprocess_mode="mostrecent",
)
LEASES_ENDED = Counter(
    "callgate_leases_ended_total",
    "Leases that ended. how: released or reconciled by the caller, or expired, since nobody did. Those that"
    " expired are counted when upkeep notes it, within ten minutes.",
    ["how"],
)
REBUILDS = Counter(
    "callgate_channel_rebuilds_total",
    "Accounts whose channels were written to Redis anew, in a new epoch. why: lost (Redis had forgotten them, or a"
    " limit is new), or behind (Postgres came back older than Redis).",
    ["why"],
)
UNAVAILABLE = Counter(
    "callgate_unavailable_total",
    "Answers 503. cause: postgres, redis, clock, registry (too old), rebuild (of channels), busy (too much at once),"
    " archive (a month in a file), other.",
    ["cause"],
)
STORE_SECONDS = Histogram(
    "callgate_store_seconds",
    "Time of a round trip to a store on behalf of decisions, in seconds. Of Postgres every statement, which carries"
    " many decisions; of Redis one call in sixteen.",
    ["store"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
STORE_CONNECTIONS = Counter(
    "callgate_store_connections_total", "Connections to a store that were opened.", ["store"]
)
JOBS_ENDED = Counter(
    "callgate_jobs_ended_total",
    "Lists taken in, by kind and how it ended: succeeded, failed, or abandoned by its process (then without kind).",
    ["kind", "status"],
)
OPT_OUTS = Counter("callgate_opt_outs_total", "Wishes to be left alone that were put on record.")
WORKERS_RESTARTED = Counter(
    "callgate_workers_restarted_total", "Worker processes started in the place of one that ended or hung."
)


@dataclass(frozen=True, slots=True)
class AtScrape:
    """A gauge that is looked up when /metrics is asked, and belongs to no process."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


CHANNELS_IN_USE = AtScrape(
    "callgate_channels_in_use",
    "Channels in use by the ledger, of the 200 fullest pools.",
    ("account", "pool"),
)
CHANNELS_CAPACITY = AtScrape(
    "callgate_channels_capacity", "Channels that a pool has, of the same pools.", ("account", "pool")
)
POOLS_UNTOLD = AtScrape("callgate_pools_untold", "Pools beyond those 200.")
CHANNEL_EPOCH = AtScrape("callgate_channel_epoch", "The highest epoch of any account's channels.")
JOBS_RUNNING = AtScrape("callgate_jobs_running", "Lists that are being taken in.", ("kind",))
READY = AtScrape(
    "callgate_ready",
    "1 while what decisions need is fit for them, 0 while not: postgres, redis, clock.",
    ("check",),
)
BUILD = AtScrape("callgate_build_info", "1, with the release that answers.", ("version",))
RULES = AtScrape(
    "callgate_rules_info", "1 for each part of what is decided by, with its version.", ("part", "version")
)
Seen = Mapping[AtScrape, Mapping[tuple[str, ...], float]]


def note_registries(
    *, in_force: Mapping[str, int], age_days: Mapping[str, int], days_left: Mapping[str, int]
) -> None:
    """The registries as they stand, by name; one that is gone, or has no age any more, is told no longer."""
    told = ((REGISTRY_IN_FORCE, in_force), (REGISTRY_AGE, age_days), (REGISTRY_DAYS_LEFT, days_left))
    for gauge, values in told:
        for name in _TOLD[gauge] - values.keys():
            if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
                gauge.labels(name).set(math.nan)  # what several processes share cannot be taken back
            else:
                gauge.remove(name)
        for name, value in values.items():
            gauge.labels(name).set(value)
        _TOLD[gauge] = set(values)


_TOLD: dict[Gauge, set[str]] = {REGISTRY_IN_FORCE: set(), REGISTRY_AGE: set(), REGISTRY_DAYS_LEFT: set()}


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request."""
    if method not in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        method = "other"
    counter, histogram = _of_route(method, route, status)
    counter.inc()
    histogram.observe(seconds)


def count_decision(type: str, verdict: str, codes: Sequence[str]) -> None:
    """Count one decision that was recorded, with its refusal codes in order of precedence."""
    for counter in _of_decision(type, verdict, tuple(codes)):
        counter.inc()


@lru_cache(maxsize=256)
def _of_decision(type: str, verdict: str, codes: tuple[str, ...]) -> tuple[Counter, ...]:
    decisions = DECISIONS.labels(type, verdict, codes[0] if codes else "")
    return decisions, *(REFUSALS.labels(type, code) for code in codes)


@lru_cache(maxsize=4096)
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Finding a metric by its labels takes longer than counting with it."""
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)


class _Seen(Collector):
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge, values in self.seen.items():
            family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family


def exposition(multiprocess_dir: str | None, seen: Seen) -> bytes:
    """The metrics of this process, or of all its siblings, in Prometheus' text format, with what was just ``seen``."""
    now = CollectorRegistry()
    now.register(_Seen(seen))
    if multiprocess_dir is None:
        return generate_latest() + generate_latest(now)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=multiprocess_dir)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(now)


# What a request's line in the access log says besides its answer; None where no line will be written.
_NOTES: ContextVar[dict[str, str] | None] = ContextVar("access_notes", default=None)


def begin_notes() -> dict[str, str]:
    """A place for what this request's line in the access log is to say."""
    notes: dict[str, str] = {}
    _NOTES.set(notes)
    return notes


def note(name: str, value: object) -> None:
    """Say it in the access log's line of the request under way, if there is to be one."""
    notes = _NOTES.get()
    if notes is not None:
        notes[name] = str(value)


def redact(text: str) -> str:
    """The text without keys, and with all but the last two digits of numbers hidden."""
    return _NUMBER.sub("+…", _SECRET.sub("cg_…", text))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return redact(json.dumps(entry, default=str, ensure_ascii=False))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        extra = " ".join(f"{n}={v}" for n, v in vars(record).items() if n not in _STANDARD)
        text = f"{at} {record.levelname.lower():7} {record.name}: {record.getMessage()} {extra}".rstrip()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact(text)


def configure_logging(log_format: str, level: str) -> None:
    """Send every log to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"
    logging.getLogger("alembic").setLevel(logging.WARNING)
