"""The alert rules and the dashboard ask only for what a running service tells, in queries that Prometheus can read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from app import telemetry
from tests.house.tree import CHECKOUT
from tests.service import RunningService

ALERTS = CHECKOUT / "deploy/prometheus/alerts.yml"
DASHBOARD = CHECKOUT / "deploy/grafana/callgate.json"
PROMTOOL = shutil.which("promtool")
NAME = re.compile(r"\bcallgate_\w+")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SELECTED = re.compile(r"\b(callgate_\w+)(?:\{([^}]*)\})?")
FROM_PROMETHEUS = {"instance", "le"}


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> list[str]:
    """Every query of both files."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return shown + [rule["expr"] for rule in alert_rules()]


def labels_by_family() -> dict[str, frozenset[str]]:
    """The labels that each metric has, by the name without the suffix of a sample."""
    found = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, telemetry.AtScrape):
            found[metric.name] = frozenset(metric.labels)
        elif isinstance(metric, Counter | Gauge | Histogram):
            found[metric._name] = frozenset(metric._labelnames)
    return found


def told_by(service: RunningService) -> set[str]:
    """The names of samples that this service's /metrics has, or will have with the first that is counted."""
    body = service.request("GET", "/metrics").body.decode()
    names = set()
    for family in text_string_to_metric_families(body):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(
            family.type, ("",)
        )
        names |= {family.name + suffix for suffix in suffixes}
    return names


def test_every_query_asks_for_what_a_running_service_tells(gate: RunningService) -> None:
    told = told_by(gate)
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert asked - told == set()
    assert len(panels()) == len({panel["id"] for panel in panels()})
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    absent = [name for name in labels_by_family() if name not in shown]
    assert absent == [], "a figure that no panel shows"


@pytest.mark.parametrize("query", queries())
def test_every_query_groups_and_selects_by_labels_that_its_metrics_have(query: str) -> None:
    labels = labels_by_family()
    known = set(FROM_PROMETHEUS)
    for name, selected in SELECTED.findall(query):
        family = re.sub(r"_(total|bucket|count|sum)$", "", name)
        known |= labels[family]
        assert set(re.findall(r"(\w+)\s*[!=]", selected)) <= labels[family], query
    for grouped in GROUPED.findall(query):
        assert {each.strip() for each in grouped.split(",")} <= known, query


def test_every_alert_says_how_urgent_it_is_and_of_what() -> None:
    for rule in alert_rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


@pytest.mark.skipif(
    PROMTOOL is None, reason="Debian's package prometheus, whose promtool reads rules, is not here"
)
def test_promtool_takes_the_rules_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"shown:{at}", "expr": query} for at, query in enumerate(shown)]
    copied = tmp_path / "shown.yml"
    copied.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "rules", str(ALERTS), str(copied)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    PROMTOOL is None, reason="Debian's package prometheus, whose promtool tries rules, is not here"
)
def test_alerts_fire_when_they_should_and_not_before() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(Path(__file__).with_name("alerts_tried.yml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
