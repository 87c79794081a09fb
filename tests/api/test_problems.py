"""Every problem type that is no guardrail's: when it comes, and all that it must carry (contract, 2)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.api.dialler import Dialler, call, sms
from tests.api.problem import TABLE, check_problem
from tests.servers import Servers, run_apart
from tests.service import Answer, RunningService

CA = "+14155551234"
ABSENT_ID = "01a1ffe4-05e4-7eae-af21-be1e5475cd4c"


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/nothing", "/v1/intents/", "/errors/no-such-type", "/%2e%2e/etc/passwd", "/v1/Intents"],
)
def test_an_unknown_path_is_404(gate: RunningService, path: str) -> None:
    check_problem(gate.get(path), "not-found", gate.base_url)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/intents", {"GET", "POST"}),
        ("PUT", "/v1/intents/batch", {"POST"}),
        ("POST", "/v1/suppressions/+14155551234", {"GET", "PUT", "DELETE"}),
        ("PATCH", "/v1/pools/default", {"GET", "PUT", "DELETE"}),
        ("POST", f"/v1/leases/{ABSENT_ID}", {"GET", "DELETE"}),
        ("GET", f"/v1/leases/{ABSENT_ID}/renew", {"POST"}),
        ("PUT", "/v1/api-keys", {"GET", "POST"}),
        ("POST", "/errors", {"GET"}),
        ("POST", "/livez", {"GET"}),
    ],
)
def test_a_wrong_method_is_405_and_allow_names_every_right_one(
    gate: RunningService, method: str, path: str, allowed: set[str]
) -> None:
    answer = gate.request(method, path, key=gate.key)
    check_problem(answer, "method-not-allowed", gate.base_url)
    named = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed <= named
    assert method not in named


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        (None, "No API key"),
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        ("Basic Y2c6Y2c=", "Bearer"),
        ("Bearer not-one-of-ours", "Bearer"),
        ("Bearer cg_0000000000000000000000000000", "not known"),
        ("Bearer cg_" + "a" * 5000, "Bearer"),
    ],
)
def test_without_a_good_key_everything_is_401(
    gate: RunningService, authorization: str | None, said: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path, body in (
        ("POST", "/v1/intents", call(CA)),
        ("POST", "/v1/intents", {"nonsense": True}),
        ("POST", "/v1/intents", b"{"),
        ("GET", "/v1/intents?limit=0", None),
        ("GET", "/v1/pools", None),
        ("DELETE", f"/v1/leases/{ABSENT_ID}", None),
        ("POST", "/v1/accounts", {"name": "x"}),
    ):
        problem = check_problem(
            gate.request(method, path, body, headers=headers), "unauthorized", gate.base_url
        )
        assert said in problem["detail"]


def test_an_expired_key_is_401(operator: Dialler, gate_database: str, servers: Servers) -> None:
    key = operator.with_key("intents:read", expires_at="2099-01-01T00:00:00Z")
    assert key.get("/v1/intents").status == 200
    age = f"UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = '{key.key_id}'"
    execute(servers, gate_database, age)
    problem = check_problem(key.get("/v1/intents"), "unauthorized", operator.service.base_url)
    assert "expired" in problem["detail"]


@pytest.mark.parametrize(
    ("held", "method", "path", "body", "missing"),
    [
        ("intents:read", "POST", "/v1/intents", call(CA), "intents:write"),
        ("intents:read", "POST", "/v1/intents/preview", call(CA), "intents:write"),
        ("intents:read", "POST", "/v1/intents/batch", {"intents": [call(CA)]}, "intents:write"),
        ("intents:write", "POST", "/v1/intents", call(CA, purpose="emergency"), "intents:emergency"),
        ("intents:write", "POST", "/v1/intents/preview", call(CA, purpose="emergency"), "intents:emergency"),
        ("admin", "POST", "/v1/intents", call(CA, purpose="emergency"), "intents:emergency"),
        ("intents:write", "GET", "/v1/intents", None, "intents:read"),
        ("intents:write", "GET", f"/v1/intents/{ABSENT_ID}", None, "intents:read"),
        ("suppressions:read", "POST", "/v1/suppressions", {"number": CA}, "suppressions:write"),
        ("suppressions:read", "PUT", f"/v1/suppressions/{CA}", {}, "suppressions:write"),
        ("suppressions:read", "DELETE", f"/v1/suppressions/{CA}", None, "suppressions:write"),
        ("suppressions:write", "GET", f"/v1/suppressions/{CA}", None, "suppressions:read"),
        ("suppressions:write", "GET", f"/v1/suppressions/{CA}/history", None, "suppressions:read"),
        ("pools:read", "PUT", "/v1/pools/trunk", {"capacity": 1}, "pools:write"),
        ("pools:read", "DELETE", "/v1/pools/trunk", None, "pools:write"),
        ("pools:read", "POST", "/v1/pools/default/reconcile", {"active": []}, "pools:write"),
        ("pools:write", "GET", "/v1/pools", None, "pools:read"),
        ("intents:read", "DELETE", f"/v1/leases/{ABSENT_ID}", None, "intents:write"),
        ("intents:read", "POST", f"/v1/leases/{ABSENT_ID}/renew", {"extend_by": 60}, "intents:write"),
        ("pools:read", "GET", "/v1/api-keys", None, "admin"),
        ("pools:read", "POST", "/v1/api-keys", {"name": "x", "scopes": ["pools:read"]}, "admin"),
        ("admin", "GET", "/v1/accounts", None, "operator"),
        ("admin", "POST", "/v1/accounts", {"name": "x"}, "operator"),
    ],
)
def test_a_key_without_the_scope_is_403_and_the_detail_names_it(
    dialler: Dialler, held: str, method: str, path: str, body: object, missing: str
) -> None:
    answer = dialler.with_key(held).send(method, path, body)
    problem = check_problem(answer, "forbidden", dialler.service.base_url)
    assert missing in problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"type": "call",}',
        b"{'type': 'call'}",
        b'\xff\xfe{"type": "call"}',
        b'{"to": "\xc3\x28"}',
        '{"type": "call"}'.encode("utf-16"),
        b'{"type": NaN}',
        b'{"type": Infinity}',
        b'{"type": "call"} x',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"9" * 6000,
        b'{"max_duration": ' + b"9" * 400 + b"}",
        b'{"to": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'"a text"',
        b"[]",
        b"7",
        b"null",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_400(operator: Dialler, body: bytes) -> None:
    for path in (
        "/v1/intents",
        "/v1/intents/preview",
        "/v1/intents/batch",
        "/v1/suppressions",
        "/v1/api-keys",
    ):
        problem = check_problem(operator.post(path, body), "bad-request", operator.service.base_url)
        assert problem["errors"], problem


def test_no_body_at_all_is_a_missing_one(operator: Dialler) -> None:
    for path in (
        "/v1/intents",
        "/v1/intents/preview",
        "/v1/intents/batch",
        "/v1/suppressions",
        "/v1/api-keys",
    ):
        for sent in (b"", None):
            check_problem(operator.post(path, sent), "validation-error", operator.service.base_url)


def test_a_member_named_twice_is_400(dialler: Dialler) -> None:
    """Which of the two was meant? The safeguard that the caller put first would be dropped in silence."""
    number = dialler.open_number()
    body = json.dumps(call(number))[:-1] + ', "to": "+14155559999"}'
    problem = check_problem(
        dialler.post("/v1/intents", body.encode()), "bad-request", dialler.service.base_url
    )
    assert "to" in problem["errors"][0]["reason"]
    nested = json.dumps(call(number))[:-1] + ', "recipient": {"region": "US-CA", "region": "US-NY"}}'
    check_problem(dialler.post("/v1/intents", nested.encode()), "bad-request", dialler.service.base_url)


def faults(answer: Answer) -> dict[str, dict[str, Any]]:
    """The field errors by pointer."""
    return {fault["pointer"]: fault for fault in answer.json()["errors"]}


def test_all_bad_fields_are_named_at_once_with_pointers(dialler: Dialler) -> None:
    body = {
        "type": "call",
        "to": "415 555 1234",
        "from": 12125550100,
        "purpose": "sales",
        "campaign": "",
        "max_duration": 29,
        "recipient": {"latitude": 91.0, "longitude": "x", "planet": "Mars"},
        "colour": "red",
    }
    answer = dialler.post("/v1/intents", body)
    check_problem(answer, "bad-request", dialler.service.base_url)
    found = faults(answer)
    assert set(found) == {
        "/to",
        "/from",
        "/purpose",
        "/campaign",
        "/max_duration",
        "/recipient/latitude",
        "/recipient/longitude",
        "/recipient/planet",
        "/colour",
    }
    assert found["/to"] == {
        "field": "to",
        "reason": "must be E.164 format (e.g. +14155551234)",
        "pointer": "/to",
    }
    assert found["/recipient/planet"]["field"] == "recipient.planet"
    assert found["/colour"]["reason"] == "unknown field"


@pytest.mark.parametrize(
    ("change", "slug", "pointer"),
    [
        ({"to": None}, "bad-request", "/to"),
        ({"to": 14155551234}, "bad-request", "/to"),
        ({"to": "14155551234"}, "bad-request", "/to"),
        ({"to": "+1 415 555 1234"}, "bad-request", "/to"),
        ({"to": "tel:+14155551234"}, "bad-request", "/to"),
        ({"to": "+１４１５５５５１２３４"}, "bad-request", "/to"),
        ({"to": "+14155551234\n"}, "bad-request", "/to"),
        ({"to": ""}, "bad-request", "/to"),
        ({"to": "+1" + "4" * 400}, "bad-request", "/to"),
        ({"to": "+11235551234"}, "validation-error", "/to"),
        ({"to": "+999123456789"}, "validation-error", "/to"),
        ({"from": "+1"}, "bad-request", "/from"),
        ({"from": "12345"}, "bad-request", "/from"),
        ({"from": "+11235550100"}, "validation-error", "/from"),
        ({"type": "fax"}, "validation-error", "/type"),
        ({"type": 5}, "bad-request", "/type"),
        ({"type": None}, "bad-request", "/type"),
        ({"purpose": "sales"}, "validation-error", "/purpose"),
        ({"purpose": 3}, "bad-request", "/purpose"),
        ({"purpose": None}, "bad-request", "/purpose"),
        ({"voice_type": ["live"]}, "bad-request", "/voice_type"),
        ({"campaign": "x" * 65}, "validation-error", "/campaign"),
        ({"campaign": "a\u0000b"}, "validation-error", "/campaign"),
        ({"campaign": 7}, "bad-request", "/campaign"),
        ({"body": "hello"}, "validation-error", "/body"),
        ({"first_contact": True}, "validation-error", "/first_contact"),
        ({"pool": "no such"}, "validation-error", "/pool"),
        ({"pool": "absent"}, "validation-error", "/pool"),
        ({"pool": "'; DROP TABLE pools; --"}, "validation-error", "/pool"),
        ({"max_duration": 29}, "validation-error", "/max_duration"),
        ({"max_duration": 14401}, "validation-error", "/max_duration"),
        ({"max_duration": "60"}, "bad-request", "/max_duration"),
        ({"max_duration": 60.5}, "bad-request", "/max_duration"),
        ({"max_duration": True}, "bad-request", "/max_duration"),
        ({"max_duration": 10**30}, "validation-error", "/max_duration"),
        ({"max_duration": -(2**63)}, "validation-error", "/max_duration"),
        ({"recipient": "US-CA"}, "bad-request", "/recipient"),
        ({"recipient": {"postal_code": "00000"}}, "validation-error", "/recipient/postal_code"),
        ({"recipient": {"postal_code": "ABCDE"}}, "validation-error", "/recipient/postal_code"),
        ({"recipient": {"postal_code": 94105}}, "bad-request", "/recipient/postal_code"),
        ({"recipient": {"region": "US-ZZ"}}, "validation-error", "/recipient/region"),
        ({"recipient": {"region": "XX"}}, "validation-error", "/recipient/region"),
        ({"recipient": {"timezone": "Mars/Olympus"}}, "validation-error", "/recipient/timezone"),
        ({"recipient": {"timezone": "../../etc/passwd"}}, "validation-error", "/recipient/timezone"),
        ({"recipient": {"timezone": "Etc/GMT+5"}}, None, "/recipient/timezone"),
        ({"recipient": {"latitude": 37.0}}, "validation-error", "/recipient"),
        ({"recipient": {"latitude": -90.1, "longitude": 0}}, "validation-error", "/recipient/latitude"),
        ({"recipient": {"latitude": "37", "longitude": 0}}, "bad-request", "/recipient/latitude"),
        ({"recipient": {"latitude": 0, "longitude": 0}}, "validation-error", "/recipient/latitude"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_one_bad_field_of_a_call(
    operator: Dialler, change: dict[str, Any], slug: str | None, pointer: str
) -> None:
    """400 for the wrong JSON type or format, 422 for what is well-formed and cannot be used."""
    for path in ("/v1/intents", "/v1/intents/preview"):
        answer = operator.post(path, call(CA) | change)
        assert answer.status in (400, 422), answer.body
        problem = check_problem(
            answer,
            slug or {400: "bad-request", 422: "validation-error"}[answer.status],
            operator.service.base_url,
        )
        assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
        (result,) = operator.post("/v1/intents/batch", {"intents": [call(CA) | change]}).json()["results"]
        assert (result["status"], result["body"]["errors"]) == (answer.status, problem["errors"])


@pytest.mark.parametrize(
    ("change", "slug", "pointer"),
    [
        ({"body": ""}, "validation-error", "/body"),
        ({"body": "x" * 1601}, "validation-error", "/body"),
        ({"body": "a\u0000b"}, "validation-error", "/body"),
        ({"body": None}, "bad-request", "/body"),
        ({"body": ["x"]}, "bad-request", "/body"),
        ({"pool": "default"}, "validation-error", "/pool"),
        ({"max_duration": 60}, "validation-error", "/max_duration"),
        ({"voice_type": "live"}, "validation-error", "/voice_type"),
        ({"first_contact": "true"}, "bad-request", "/first_contact"),
        ({"first_contact": 1}, "bad-request", "/first_contact"),
        ({"from": "12"}, "bad-request", "/from"),
        ({"from": "123456789"}, "bad-request", "/from"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
def test_one_bad_field_of_a_text(operator: Dialler, change: dict[str, Any], slug: str, pointer: str) -> None:
    problem = check_problem(operator.post("/v1/intents", sms(CA) | change), slug, operator.service.base_url)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_a_missing_field_is_422_and_400_wins_where_both_are(dialler: Dialler) -> None:
    answer = dialler.post("/v1/intents", {"type": "sms", "to": CA})
    problem = check_problem(answer, "validation-error", dialler.service.base_url)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/from", "/body"}
    answer = dialler.post("/v1/intents", {"type": "sms", "to": 5, "oops": 1})
    problem = check_problem(answer, "bad-request", dialler.service.base_url)
    assert {fault["pointer"] for fault in problem["errors"]} == {"/to", "/from", "/body", "/oops"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=%00",
        "campaign=%00",
        "cursor=MDFhMWZmZTQtMDVlNC03ZWFlLWFmMjEtYmUxZTU0NzVjZDRj%0A",
        "cursor=nonsense",
        "cursor=" + "A" * 300,
        "to=4155551234",
        "type=fax",
        "verdict=maybe",
        "since=yesterday",
        "since=2026-11-21T18:00:00",
        "until=2026-13-41T18:00:00Z",
        "code=dnc-blocked",
    ],
)
def test_a_bad_query_parameter_is_400(operator: Dialler, query: str) -> None:
    problem = check_problem(operator.get(f"/v1/intents?{query}"), "bad-request", operator.service.base_url)
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "*/*"]
)
def test_another_media_type_is_415(operator: Dialler, media_type: str) -> None:
    answer = operator.post("/v1/intents", call(CA), headers={"Content-Type": media_type})
    check_problem(answer, "unsupported-media-type", operator.service.base_url)


def test_json_with_a_charset_or_a_suffix_is_json(dialler: Dialler) -> None:
    for media_type in ("application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"):
        answer = dialler.post("/v1/intents/preview", call(CA), headers={"Content-Type": media_type})
        assert answer.status == 200, answer.body


def test_a_body_over_the_limit_is_413_before_it_is_read_whole(dialler: Dialler) -> None:
    """The length is known from the head: the answer is there although none of the body was sent."""
    connection = http.client.HTTPConnection("127.0.0.1", dialler.service.port, timeout=5)
    connection.putrequest("POST", "/v1/intents")
    connection.putheader("Authorization", f"Bearer {dialler.key}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10 << 20))
    connection.endheaders()
    check_problem(read(connection), "payload-too-large", dialler.service.base_url)


def test_a_chunked_body_over_the_limit_is_413_before_it_is_read_whole(dialler: Dialler) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", dialler.service.port, timeout=5)
    connection.putrequest("POST", "/v1/intents")
    connection.putheader("Authorization", f"Bearer {dialler.key}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    chunk = b" " * 65536
    for _ in range(17):  # 1 MiB and 64 KiB, and the body is not at its end
        connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    check_problem(read(connection), "payload-too-large", dialler.service.base_url)


def read(connection: http.client.HTTPConnection) -> Answer:
    """The response on the connection."""
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, headers, response.read())
    connection.close()
    return answer


def test_a_request_id_is_echoed_when_it_is_sane_and_replaced_when_not(gate: RunningService) -> None:
    for path in ("/livez", "/v1/nothing", "/v1/intents"):
        for sane in ("trace-1", "01A.b_c:d-e", "x" * 128):
            assert gate.request("GET", path, headers={"X-Request-Id": sane}).headers["x-request-id"] == sane
        for odd in ("", "a b", "x" * 129, "ü", "<script>", "-leading"):
            sent = odd.encode().decode("latin-1")
            given = gate.request("GET", path, headers={"X-Request-Id": sent}).headers["x-request-id"]
            assert given not in (odd, sent)
            assert len(given) == 36
    first, second = (gate.request("GET", "/v1/nothing") for _ in range(2))
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.json()["instance"] == f"urn:uuid:{first.headers['x-request-id']}"


def test_every_type_has_a_page_for_people_and_for_machines(gate: RunningService) -> None:
    listed = gate.request("GET", "/errors").json()["items"]
    assert {kind["slug"]: (kind["status"], kind["title"]) for kind in listed} == TABLE
    html = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    index = gate.request("GET", "/errors", headers=html)
    assert index.headers["content-type"].startswith("text/html")
    for slug, (status, title) in TABLE.items():
        assert f"/errors/{slug}".encode() in index.body
        page = gate.request("GET", f"/errors/{slug}", headers=html)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert f"<h1>{title}</h1>".encode() in page.body
        for heading in ("What it means", "Example", "What to do", "Try again?"):
            assert heading.encode() in page.body
        for accept in ("application/json", "application/problem+json", "*/*", ""):
            machine = gate.request("GET", f"/errors/{slug}", headers={"Accept": accept})
            assert machine.headers["content-type"] == "application/json"
            assert machine.headers["vary"] == "Accept"
            document = machine.json()
            assert (document["status"], document["title"]) == (status, title)
            assert document["meaning"]
            assert document["remedy"]
            assert document["retry"]
            assert document["example"]["type"].endswith(slug)


def test_a_crash_is_500_and_leaks_nothing(start_dialler: Callable[..., Dialler], servers: Servers) -> None:
    """A table that the service relies on is gone: no rule of ours foresees that."""
    dialler = start_dialler()
    name = dialler.service.settings["database_url"].split("@/")[1].split("?")[0]
    number = dialler.open_number()
    execute(servers, name, "ALTER TABLE attempts RENAME TO hidden")
    answers = [
        dialler.post("/v1/intents", call(number)),
        dialler.post("/v1/intents", call(number), headers={"Idempotency-Key": "crash"}),
        dialler.post("/v1/intents", call(number), headers={"Idempotency-Key": "crash"}),
    ]
    for answer in answers:
        check_problem(answer, "internal", dialler.service.base_url)
        for secret in (b"attempts", b"SELECT", b"Traceback", b"asyncpg", b"sqlalchemy", b".py", b"relation"):
            assert secret not in answer.body
    (result,) = dialler.post("/v1/intents/batch", {"intents": [call(number)]}).json()["results"]
    assert result["status"] == 500
    assert "UndefinedTable" in dialler.service.log, "the operator must find the cause"
    execute(servers, name, "ALTER TABLE hidden RENAME TO attempts")
    again = dialler.post("/v1/intents", call(number), headers={"Idempotency-Key": "crash"})
    assert again.status == 201, again.body
    assert "idempotent-replayed" not in again.headers


def execute(servers: Servers, database: str, statement: str) -> None:
    """One statement on a database of the tests."""

    async def work() -> None:
        connection = await asyncpg.connect(
            host=str(servers.postgres.directory), user="callgate", database=database
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    run_apart(work())
