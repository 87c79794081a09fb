"""Registries over HTTP: made, loaded, amended, asked, too old, removed."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from app.clock import utc_now
from tests.contract.dialler import Dialler, call, sms
from tests.contract.problem import check_problem
from tests.contract.streams import Upload, ended, until, upload
from tests.service import RunningService

PATH = "/v1/registries/{}"
NATIONAL = {"kind": "national_dnc", "applies_to": ["call", "sms"], "purposes": ["marketing"]}
# An instant whose weekday and hour are known: 10:00 on an ordinary Tuesday in San Francisco.
MORNING = "2028-02-08T18:00:00Z"
LISTED, OTHER = "+14155550211", "+14155550212"


def today() -> date:
    return utc_now().date()


@pytest.fixture
def registry(operator: Dialler) -> Iterator[str]:
    """The name of a registry that is gone after the test, since all accounts share it."""
    name = "national-1"
    made = operator.put(PATH.format(name), NATIONAL)
    assert made.status == 201, made.body
    yield name
    assert operator.delete(PATH.format(name)).status == 204


def load(
    operator: Dialler, name: str, body: bytes, query: str = "", what: str = "versions"
) -> dict[str, Any]:
    """The job of a load or a change, once it has ended."""
    answer = upload(operator, f"{PATH.format(name)}/{what}{query}", body, "text/plain")
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"{PATH.format(name)}/jobs/{answer.json()['id']}"
    return ended(operator, answer.headers["location"])


def violations(dialler: Dialler, body: dict[str, object]) -> list[dict[str, Any]]:
    """Those of a preview on that Tuesday morning."""
    answer = dialler.post("/v1/intents/preview", {**body, "at": MORNING})
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["violations"]
    return found


def test_a_hit_is_dnc_blocked_and_names_the_registry_and_the_date_of_its_list(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    assert violations(dialler, call(LISTED)) == []
    job = load(operator, registry, b"415,5550211\r\n+442071234567\r\n", f"?version_date={today()}")
    assert (job["status"], job["rows_read"], job["added"], job["subject"]) == ("succeeded", 2, 2, registry)
    refused = dialler.call(to=LISTED)
    document = check_problem(refused, "dnc-blocked", dialler.service.base_url)
    violation = document["violations"][0]
    assert (violation["registry"], violation["version_date"]) == (registry, str(today()))
    recorded = dialler.get(f"/v1/intents/{document['intent_id']}").json()
    assert recorded["violations"][0]["version_date"] == str(today())
    assert violations(dialler, call(OTHER)) == []
    shown = dialler.get(PATH.format(registry)).json()
    assert (shown["numbers"], shown["version_date"], shown["age_days"]) == (2, str(today()), 0)


def test_a_registry_binds_the_channels_and_purposes_that_it_is_made_for(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    load(operator, registry, b"415,5550211\n")
    for applies_to, purposes in (
        (["call"], ["marketing"]),
        (["sms"], ["marketing"]),
        (["call", "sms"], ["informational"]),
        (["call"], ["marketing", "informational"]),
    ):
        settings = {**NATIONAL, "applies_to": applies_to, "purposes": purposes}
        assert operator.put(PATH.format(registry), settings).status == 200
        for make in (call, sms):
            for purpose in ("marketing", "informational"):
                intent = make(LISTED, purpose=purpose)
                bound = intent["type"] in applies_to and purpose in purposes
                codes = [violation["code"] for violation in violations(dialler, intent)]
                assert codes == (["DNC_BLOCKED"] if bound else []), (applies_to, purposes, intent)
    assert dialler.get(PATH.format(registry)).json()["numbers"] == 1, "settings never touch the numbers"


def test_every_registry_that_lists_a_number_is_named(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    operator.put(PATH.format("texas"), {"kind": "state_dnc", "region": "US-TX"})
    operator.put(PATH.format("litigators"), {"kind": "litigator"})
    for name in (registry, "texas", "litigators"):
        load(operator, name, b"415,5550211\n" if name != "texas" else b"+14155550212\n")
    lookup = dialler.post("/v1/suppressions/lookup", {"numbers": [LISTED, OTHER]}).json()["items"]
    found = [[(hit["registry"], hit["kind"], hit["region"]) for hit in item["registries"]] for item in lookup]
    assert found == [
        [("litigators", "litigator", None), (registry, "national_dnc", None)],
        [("texas", "state_dnc", "US-TX")],
    ]
    for name in ("texas", "litigators"):
        assert operator.delete(PATH.format(name)).status == 204
    assert [v["registry"] for v in violations(dialler, call(LISTED))] == [registry]


def test_readers_see_the_old_list_until_the_new_one_is_complete(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    load(operator, registry, b"415,5550211\n")
    with Upload(operator, f"{PATH.format(registry)}/versions", "text/plain") as slow:
        slow.send(b"415,5550212\n" * 100)
        until(lambda: operator.get(f"{PATH.format(registry)}/jobs").json()["items"][0]["status"] == "running")
        assert [v["code"] for v in violations(dialler, call(LISTED))] == ["DNC_BLOCKED"]
        assert violations(dialler, call(OTHER)) == []
        for path in ("versions", "changes"):
            busy = upload(operator, f"{PATH.format(registry)}/{path}", b"415,5550213,A\n", "text/plain")
            check_problem(busy, "conflict", operator.service.base_url)
        check_problem(operator.delete(PATH.format(registry)), "conflict", operator.service.base_url)
        answer = slow.finish()
    assert ended(operator, answer.headers["location"])["status"] == "succeeded"
    assert violations(dialler, call(LISTED)) == []
    assert [v["code"] for v in violations(dialler, call(OTHER))] == ["DNC_BLOCKED"]


def test_a_load_whose_sender_goes_away_leaves_the_old_list(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    load(operator, registry, b"415,5550211\n")
    with Upload(operator, f"{PATH.format(registry)}/versions", "text/plain") as broken:
        broken.send(b"415,5550212\n" * 100)
        jobs = f"{PATH.format(registry)}/jobs"
        job = until(
            lambda: next((j for j in operator.get(jobs).json()["items"] if j["status"] == "running"), None)
        )
        broken.break_off()
    assert ended(operator, f"{jobs}/{job['id']}")["status"] == "failed"
    assert violations(dialler, call(OTHER)) == []
    assert len(violations(dialler, call(LISTED))) == 1
    until(lambda: load(operator, registry, b"415,5550212\n")["status"] == "succeeded")


def test_changes_apply_in_place_in_order_and_twice_over_without_effect(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    changes = b"415,5550211,A\n415,5550211,D\n415,5550212,A\n"
    too_early = upload(operator, f"{PATH.format(registry)}/changes", changes, "text/plain")
    check_problem(too_early, "conflict", operator.service.base_url)
    yesterday = today() - timedelta(days=1)
    load(operator, registry, b"415,5550211\n", f"?version_date={yesterday}")
    for added, removed in ((1, 1), (0, 0)):
        job = load(operator, registry, gzip.compress(changes), f"?version_date={today()}", "changes")
        assert (job["status"], job["added"], job["removed"]) == ("succeeded", added, removed)
    assert violations(dialler, call(LISTED)) == []
    (hit,) = violations(dialler, call(OTHER))
    assert hit["version_date"] == str(today())
    path = f"{PATH.format(registry)}/changes?version_date={yesterday}"
    check_problem(upload(operator, path, changes, "text/plain"), "conflict", operator.service.base_url)


def test_rejects_leave_the_old_list_and_are_told_by_line(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    load(operator, registry, b"415,5550211\n")
    bad = b"\xef\xbb\xbf415,5550212\r\n\r\n415-5550213\r\n=1+1\r\n"
    job = load(operator, registry, bad)
    assert (job["status"], job["rows_read"], job["rejected"]) == ("failed", 3, 2)
    answer = operator.get(f"{PATH.format(registry)}/jobs/{job['id']}/rejects")
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert [row[:2] for row in rows] == [["line", "value"], ["3", "415-5550213"], ["4", "'=1+1"]]
    assert len(violations(dialler, call(LISTED))) == 1
    assert load(operator, registry, bad, "?partial=true")["added"] == 1
    for useless in (b"", b"\n\n", gzip.compress(b"415,5550211\n")[:-4]):
        assert load(operator, registry, useless, "?partial=true")["status"] == "failed"
    assert len(violations(dialler, call(OTHER))) == 1


def test_the_same_load_under_the_same_key_is_the_same_job(operator: Dialler, registry: str) -> None:
    path = f"{PATH.format(registry)}/versions"
    first = upload(operator, path, b"415,5550211\n", "text/plain", **{"Idempotency-Key": "daily"})
    again = upload(operator, path, b"415,5550211\n", "text/plain", **{"Idempotency-Key": "daily"})
    assert (first.status, again.status, again.body) == (202, 202, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    ended(operator, first.headers["location"])
    assert len(operator.get(f"{PATH.format(registry)}/jobs?limit=500").json()["items"]) >= 1
    other = upload(operator, path, b"415,5550212\n", "text/plain", **{"Idempotency-Key": "daily"})
    check_problem(other, "validation-error", operator.service.base_url)


def test_a_registry_grows_old_with_warning_and_then_fails_closed(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service()
    operator = Dialler(service, service.key)
    settings = {**NATIONAL, "applies_to": ["call"], "max_age_days": 31}
    operator.put(PATH.format("national"), {**settings, "max_age_days": None})
    number = operator.open_number()

    def aged(days: int) -> tuple[list[str], str]:
        load(operator, "national", b"212,5550000\n", f"?version_date={today() - timedelta(days=days)}")
        assert operator.put(PATH.format("national"), settings).status == 200
        ready = service.request("GET", "/readyz")
        assert ready.status == 200
        return ready.json()["warnings"], service.request("GET", "/metrics").body.decode()

    warnings, metrics = aged(10)
    assert warnings == []
    assert 'callgate_registry_age_days{registry="national"} 10.0' in metrics
    assert 'callgate_registry_days_left{registry="national"} 21.0' in metrics
    warnings, _ = aged(27)
    assert warnings == ["the registry national will be too old in 4 days"]
    assert operator.call(to=number).status == 201
    warnings, metrics = aged(32)
    assert warnings == ["the registry national is too old: what it binds is refused with 503"]
    assert 'callgate_registry_days_left{registry="national"} -1.0' in metrics
    document = check_problem(operator.call(to=number), "service-unavailable", service.base_url)
    assert "national" in document["detail"]
    assert operator.call(to=number, purpose="informational").status == 201, "what it does not bind goes on"
    assert operator.get(PATH.format("national")).json()["stale"] is True
    lookup = operator.post("/v1/suppressions/lookup", {"numbers": [number]}).json()
    assert lookup["stale_registries"] == ["national"]
    listed = f"number\n{number}\n".encode()
    scrubbed = upload(operator, "/v1/scrub", listed, "text/csv")
    check_problem(scrubbed, "service-unavailable", service.base_url)
    assert upload(operator, "/v1/scrub?type=sms", listed, "text/csv").status == 200
    assert operator.delete(PATH.format("national")).status == 204
    assert 'registry="national"' not in service.request("GET", "/metrics").body.decode()


def test_a_version_and_a_change_are_in_force_in_a_second_process_when_the_job_has_ended(
    start_service: Callable[..., RunningService],
) -> None:
    service = start_service()
    one = Dialler(service, service.key)
    two = one.on(start_service(bootstrap_key=one.key))
    assert one.put(PATH.format("national"), NATIONAL).status == 201
    for _ in range(5):
        assert load(one, "national", b"415,5550211\n")["status"] == "succeeded"
        assert len(violations(two, call(LISTED))) == 1
        assert load(one, "national", b"415,5550211,D\n415,5550212,A\n", what="changes")["added"] == 1
        assert violations(two, call(LISTED)) == []
        assert len(violations(two, call(OTHER))) == 1
    assert one.put(PATH.format("national"), {**NATIONAL, "applies_to": ["sms"]}).status == 200
    assert violations(two, call(OTHER)) == []
    assert one.delete(PATH.format("national")).status == 204
    assert violations(two, sms(OTHER)) == []


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({}, "validation-error"),
        ({"kind": "other"}, "validation-error"),
        ({"kind": "custom", "applies_to": []}, "validation-error"),
        ({"kind": "custom", "purposes": ["emergency"]}, "validation-error"),
        ({"kind": "custom", "max_age_days": 0}, "validation-error"),
        ({"kind": "custom", "max_age_days": "31"}, "bad-request"),
        ({"kind": "custom", "region": "Texas"}, "validation-error"),
        ({"kind": "state_dnc", "region": "TX"}, "validation-error"),
        ({"kind": "state_dnc", "region": "US-XX"}, "validation-error"),
        ({"kind": "state_dnc", "region": "PR"}, "validation-error"),
        ({"kind": "custom", "region": "EU"}, "validation-error"),
        ({"kind": "custom", "colour": "red"}, "validation-error"),
    ],
)
def test_settings_that_cannot_be_are_refused(operator: Dialler, body: dict[str, object], slug: str) -> None:
    check_problem(operator.put(PATH.format("x"), body), slug, operator.service.base_url)
    check_problem(operator.get(PATH.format("x")), "not-found", operator.service.base_url)


@pytest.mark.parametrize("region", ["US", "US-TX", "US-PR", "CA", "CA-ON", "GB", "FR", None])
def test_the_region_of_a_list_may_be_any_country_or_state_that_is_known(
    operator: Dialler, region: str | None
) -> None:
    path = PATH.format(f"of-{region}")
    put = operator.put(path, {"kind": "custom", "region": region})
    assert (put.status, put.json()["region"]) == (201, region)
    assert operator.delete(path).status == 204


def test_every_key_reads_and_only_operators_write(dialler: Dialler, registry: str) -> None:
    narrow = dialler.with_key("intents:read")
    assert narrow.get(PATH.format(registry)).status == 200
    assert registry in [item["name"] for item in narrow.get("/v1/registries").json()["items"]]
    base = dialler.service.base_url
    for answer in (
        dialler.put(PATH.format("y"), NATIONAL),
        dialler.delete(PATH.format(registry)),
        upload(dialler, f"{PATH.format(registry)}/versions", b"415,5550211\n", "text/plain"),
        upload(dialler, f"{PATH.format(registry)}/changes", b"415,5550211,A\n", "text/plain"),
        dialler.get(f"{PATH.format(registry)}/jobs"),
    ):
        assert "operator" in check_problem(answer, "forbidden", base)["detail"]


@pytest.mark.parametrize(
    "dated", ["0001-01-01", "9999-12-31", "2099-01-01", "1732233600", "2026-11-22T00:00:00", "20261122"]
)
def test_a_list_is_of_a_day_that_was(operator: Dialler, registry: str, dated: str) -> None:
    for what in ("versions", "changes"):
        path = f"{PATH.format(registry)}/{what}?version_date={dated}"
        problem = check_problem(
            upload(operator, path, b"415,5550211,A\n", "text/plain"), "bad-request", operator.service.base_url
        )
        assert [fault["field"] for fault in problem["errors"]] == ["version_date"]
    assert operator.get(PATH.format(registry)).json()["version_date"] is None


def test_registries_are_paged_and_a_job_is_found_under_its_own(operator: Dialler, registry: str) -> None:
    base_url = operator.service.base_url
    other = PATH.format("zz-another")
    assert operator.put(other, NATIONAL).status == 201
    job = load(operator, registry, b"415,5550211\n")
    check_problem(operator.get(f"{other}/jobs/{job['id']}"), "not-found", base_url)
    names, cursor = [], ""
    while True:
        page = operator.get(f"/v1/registries?limit=1{cursor}").json()
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [name for name in names if name in (registry, "zz-another")] == [registry, "zz-another"]
    assert operator.delete(other).status == 204
    for query in ("limit=0", "limit=501", "cursor=garbage!!"):
        check_problem(operator.get(f"/v1/registries?{query}"), "bad-request", base_url)


def test_every_version_is_told_with_who_loaded_it_also_after_it_was_replaced(
    operator: Dialler, dialler: Dialler, registry: str
) -> None:
    path = f"{PATH.format(registry)}/versions"
    assert dialler.get(path).json() == {"items": [], "next_cursor": None}
    loader = operator.with_key("operator")
    days = [(today() - timedelta(days=age)).isoformat() for age in (9, 5, 1)]
    for count, day in enumerate(days, start=1):
        lines = b"".join(b"+1415555%04d\n" % n for n in range(count))
        assert load(loader, registry, lines, f"?version_date={day}")["status"] == "succeeded"
    load(operator, registry, b"415,5550219,A\n", f"?version_date={today()}", "changes")
    items = dialler.get(path).json()["items"]
    assert [item["version_date"] for item in items] == [today().isoformat(), days[1], days[0]]
    assert [item["numbers"] for item in items] == [4, 2, 1]
    assert {item["loaded_by"] for item in items} == {loader.key_id}
    assert [item["in_force"] for item in items] == [True, False, False]
    assert [item["replaced_at"] is None for item in items] == [True, False, False]
    assert [item["changes_applied"] for item in items] == [1, 0, 0]
    first = dialler.get(f"{path}?limit=2").json()
    rest = dialler.get(f"{path}?limit=2&cursor={first['next_cursor']}").json()
    assert first["items"] + rest["items"] == items
    assert rest["next_cursor"] is None
    check_problem(dialler.get("/v1/registries/nowhere/versions"), "not-found", dialler.service.base_url)
    check_problem(dialler.get(f"{path}?cursor=x"), "bad-request", dialler.service.base_url)
