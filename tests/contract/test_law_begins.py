"""A rule binds from midnight of its place, in real intents, previews, windows and the law as data, without a restart;
and the lists that states keep are warned of, or refused without.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.clock import utc_now
from app.instants import rfc3339
from app.law.window_loader import DIRECTORY
from app.numbering.zones import zone
from tests.contract.dialler import PRESENTED, Dialler, call
from tests.contract.streams import ended, upload
from tests.service import RunningService

OHIO = "+12165550123"
CLOCK = zone("America/New_York")
RULE = """
[[rule]]
id = "US-OH/{name}"
name = "A law of the test"
jurisdiction = "US-OH"
scope = "all"
text = "yes"
recipients = ["consumer", "business"]
weekday = []
saturday = []
sunday = []
holiday = "none"
clocks = ["called_party"]
solicitation_only = true
exemptions = []
citation = "the test's own act"
confidence = "low"
checked = 2026-11-24
effective_from = {begins}
effective_until = {ends}
"""


def closed_by(document: dict[str, Any]) -> set[str]:
    """Which of the test's rules stand in a refusal."""
    told = str([each for each in document.get("violations", []) if each["guardrail"] == "calling_window"])
    return {name for name in ("today", "tomorrow") if f"US-OH/{name}" in told}


def test_a_rule_that_starts_tomorrow_binds_from_midnight_of_its_place(
    start_service: Callable[..., RunningService], tmp_path: Path
) -> None:
    pack = Path(shutil.copytree(DIRECTORY, tmp_path / "pack"))
    today = utc_now().astimezone(CLOCK).date()
    days = {"today": today, "tomorrow": today + timedelta(days=1)}
    (pack / "windows" / "zz.toml").write_text(
        "".join(
            RULE.format(name=name, begins=day, ends=day + timedelta(days=1)) for name, day in days.items()
        )
    )
    service = start_service(rules_dir=pack)
    dialler = Dialler(service, service.key)
    midnight = datetime.combine(days["tomorrow"], time(), CLOCK).astimezone(UTC)
    if midnight - utc_now() < timedelta(minutes=2):
        pytest.skip("it is about to be tomorrow in Ohio")
    real = dialler.post("/v1/intents", call(OHIO))
    assert (real.status, closed_by(real.json())) == (403, {"today"})
    for at, names in (
        (midnight - timedelta(seconds=1), {"today"}),
        (midnight, {"tomorrow"}),
        (midnight + timedelta(days=1), set[str]()),
    ):
        preview = dialler.post("/v1/intents/preview", call(OHIO, at=rfc3339(at))).json()
        assert closed_by(preview) == names, at
        law = dialler.get(f"/v1/law?region=US-OH&at={rfc3339(at)}").json()
        told = {rule["id"].removeprefix("US-OH/") for rule in law["rules"] if rule["id"].startswith("US-OH/")}
        assert told == names, at
    windows = dialler.get(f"/v1/calling-windows/{OHIO}?at={rfc3339(midnight)}&days=2").json()
    opens = windows["next_opens_at"]
    assert opens >= rfc3339(midnight + timedelta(days=1)), "closed all of tomorrow"


@pytest.fixture
def registry(operator: Dialler) -> Iterator[Callable[[str, int], str]]:
    """Loads a state's list of that age in days, and takes it away again."""
    made: list[str] = []

    def load(region: str, age: int) -> str:
        name = f"kept-{uuid.uuid4().hex[:8]}"
        made.append(name)
        body = {"kind": "state_dnc", "region": region}
        assert operator.put(f"/v1/registries/{name}", body).status == 201
        day = (utc_now() - timedelta(days=age)).date()
        answer = upload(
            operator, f"/v1/registries/{name}/versions?version_date={day}", b"+13175550199\n", "text/plain"
        )
        assert ended(operator, answer.headers["location"])["status"] == "succeeded"
        return name

    yield load
    for name in made:
        operator.delete(f"/v1/registries/{name}")


def standing(dialler: Dialler, region: str) -> tuple[str, int]:
    """How a state's list stands, and how many registries hold it."""
    items = dialler.get("/v1/law/lists").json()["items"]
    (found,) = [item for item in items if item["region"] == region]
    return found["standing"], len(found["registries"])


INDIANA = "+13175550142"


def check_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["checks"] if each["guardrail"] == "suppression")
    return found


def previewed(dialler: Dialler, **fields: object) -> dict[str, Any]:
    answer = dialler.post("/v1/intents/preview", call(INDIANA, **fields))
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json()
    return document


def test_the_kept_lists_tell_what_is_loaded_and_what_is_too_old(
    dialler: Dialler, registry: Callable[[str, int], str], operator: Dialler
) -> None:
    assert standing(dialler, "US-IN") == ("missing", 0)
    assert check_of(previewed(dialler))["missing_lists"][0]["standing"] == "missing"
    old = registry("US-IN", 200)
    assert standing(dialler, "US-IN") == ("too_old", 1)
    (warned,) = check_of(previewed(dialler))["missing_lists"]
    assert (warned["region"], warned["standing"]) == ("US-IN", "too_old")
    registry("US-IN", 3)
    assert standing(dialler, "US-IN") == ("loaded", 2)
    assert "missing_lists" not in check_of(previewed(dialler))
    operator.delete(f"/v1/registries/{old}")
    assert standing(dialler, "US-IN") == ("loaded", 1)


def test_a_policy_may_refuse_where_a_state_s_list_is_missing(
    dialler: Dialler, registry: Callable[[str, int], str]
) -> None:
    assert dialler.put("/v1/policy", {}).json()["missing_lists"] == "warn"
    assert not previewed(dialler)["violations"] or all(
        each["guardrail"] != "suppression" for each in previewed(dialler)["violations"]
    )
    assert dialler.put("/v1/policy", {"missing_lists": "block"}).json()["missing_lists"] == "block"
    (refused,) = [each for each in previewed(dialler)["violations"] if each["guardrail"] == "suppression"]
    assert (refused["code"], refused["list"], refused["region"], refused["standing"]) == (
        "DNC_BLOCKED", "missing", "US-IN", "missing",
    )  # fmt: skip
    real = dialler.post("/v1/intents", call(INDIANA))
    assert (real.status, real.json()["code"]) == (403, "DNC_BLOCKED")
    assert dialler.get(f"/v1/intents/{real.json()['intent_id']}").status == 200
    written = {**PRESENTED, "kind": "express_written"}

    def lists_refuse(**fields: object) -> bool:
        return any(each["guardrail"] == "suppression" for each in previewed(dialler, **fields)["violations"])

    assert not lists_refuse(consent=written), "it would lift the list, if it were here"
    assert not lists_refuse(purpose="informational")
    assert not lists_refuse(recipient={"kind": "business"}), "Indiana's list is of consumers"
    assert dialler.put("/v1/policy", {"missing_lists": "perhaps"}).status == 422
    registry("US-IN", 3)
    assert not lists_refuse()
