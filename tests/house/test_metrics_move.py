"""A figure that nobody has seen move is no figure."""

from __future__ import annotations

import re

from prometheus_client import Counter, Gauge, Histogram

from app import telemetry
from app.health.metrics_page import metrics_page
from tests.house.tree import CHECKOUT, sources

METRICS = {
    name: value
    for name, value in vars(telemetry).items()
    if isinstance(value, Counter | Gauge | Histogram | telemetry.AtScrape)
}
NAME = re.compile(r"\"(callgate_\w+)\"")


def test_every_metric_moves_in_some_test() -> None:
    names = NAME.findall((CHECKOUT / "app/telemetry.py").read_text())
    assert len(names) == len(METRICS)
    others = "\n".join(path.read_text() for path in sources("tests") if "tests/house" not in path.as_posix())
    # A test names it whole, or by the family and the member: callgate_(decisions|refusals)_total.
    assert [name for name in names if not _is_named(name, others)] == []


def test_the_page_of_metrics_is_what_the_metrics_make_it() -> None:
    written = (CHECKOUT / "docs/metrics.md").read_text()
    assert written == metrics_page(), "python -m app.health.metrics_page > docs/metrics.md"
    assert [
        name for name in NAME.findall((CHECKOUT / "app/telemetry.py").read_text()) if name not in written
    ] == []


def test_every_metric_is_set_somewhere_in_the_application() -> None:
    text = "\n".join(path.read_text() for path in sources())
    assert [name for name in METRICS if len(re.findall(rf"\b{name}\b", text)) < 2] == []


def _is_named(name: str, text: str) -> bool:
    if name in text:
        return True
    member = name.removeprefix("callgate_").removesuffix("_total")
    return re.search(rf"callgate_\([\w|]*\b{member}\b[\w|]*\)", text) is not None
