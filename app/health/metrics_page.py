"""Writes ``docs/metrics.md`` from the metrics themselves: ``python -m app.health.metrics_page > docs/metrics.md``."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram

from app import telemetry

HEAD = """# Metrics
What `GET /metrics` tells, in Prometheus' text format, of all worker processes of a replica together. This page is made
from the metrics themselves. Do not edit it: run `python -m app.health.metrics_page > docs/metrics.md`.

Counters and histograms belong to the replica that is asked and begin at 0 with it. What is **at scrape** is looked
up when `/metrics` is asked, at most once a second. What of it comes from Postgres is the same on every replica (take
`max` over replicas, not `sum`), and is left out while Postgres is away. No label holds a phone number or a key;
`account` is the account's id. [Alert rules and a dashboard](operations.md#dashboards-and-alerts) come with Callgate.

| metric | kind | labels | what it tells |
|---|---|---|---|
"""


def metrics_page() -> str:
    """The whole page."""
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{each}`' for each in labels)} | {told} |"
        for name, kind, labels, told in sorted(_rows())
    ]
    return HEAD + "\n".join(rows) + "\n"


def _rows() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for metric in vars(telemetry).values():
        if isinstance(metric, telemetry.AtScrape):
            yield metric.name, "at scrape", metric.labels, metric.documentation
        elif isinstance(metric, Counter | Gauge | Histogram):
            family = next(iter(metric.describe()))
            name = family.name + ("_total" if isinstance(metric, Counter) else "")
            yield name, family.type, tuple(metric._labelnames), family.documentation


if __name__ == "__main__":
    print(metrics_page(), end="")  # noqa: T201
