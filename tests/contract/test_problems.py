"""Every problem type that is no guardrail's: when it comes, and all that it must carry (contract, 2)."""

from __future__ import annotations

import http.client
from collections.abc import Callable

import asyncpg
import pytest

from tests.contract.dialler import Dialler, call
from tests.contract.problem import TABLE, check_problem
from tests.servers import Servers, run_apart
from tests.service import Answer, RunningService

CA = "+14155551234"
ABSENT_ID = "01a1ffe4-05e4-7eae-af21-be1e5475cd4c"


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/nothing", "/v1/intents/", "/errors/no-such-type", "/%2e%2e/etc/passwd", "/v1/Intents"],
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
