"""What each floor of a room may do: statements and transactions in its store, HTTP in its http."""

from __future__ import annotations

import ast
import re

from tests.house.tree import called, calls, name_of, parsed, sources

# Beside the files that are called store, or end in it. Each has a reason.
STATEMENTS = {
    # What Postgres itself is, not what is in it: its clock, its sessions, its pages, its migrations, its standby.
    "app/platform/postgres/bounded_pages.py",
    "app/platform/postgres/database.py",
    "app/platform/postgres/migrate.py",
    "app/platform/postgres/read_replica.py",
    "app/platform/postgres/sessions.py",
    # The statement is DDL with the month in its name, made anew for each.
    "app/intents/records/partitions.py",
    # One sweep over the tables of all rooms, which no room's store could hold.
    "app/intents/upkeep/maintain.py",
    # One column that every decision reads; the store of the room is over what changes it.
    "app/accounts/read_policy.py",
}
# HTTP's numbers outside http. A kept answer is HTTP by nature: it is stored as it was sent.
STATUSES = {
    "app/intents/batch.py",
    "app/intents/decision.py",
    "app/intents/decision_answers.py",
    "app/suppression/list_bodies.py",
    # A program that asks a gate over HTTP, and one that plays a gate: both speak it on the wire.
    "app/connectors/strict_gate.py",
    "app/connectors/conformance/faults.py",
    "app/connectors/conformance/faulty_gate.py",
    "app/connectors/conformance/trials.py",
    # A layer about the whole application, as the server sees it; it reads the status on its way out.
    "app/tracing.py",
}
_STATUS = frozenset({200, 201, 202, 204, 304, 307, 308, 400, 401, 403, 404, 405, 409, 410, 411, 412, 413, 414, 415, 422,
                     425, 426, 428, 429, 431, 500, 501, 502, 503, 504})  # fmt: skip


def is_store(name: str) -> bool:
    return name.endswith(("/store.py", "_store.py"))


def is_http(name: str) -> bool:
    # The console is pages from end to end: all of it is HTTP, and held to what http is held to.
    return name.endswith("/http.py") or name.startswith(("app/platform/http/", "app/console/"))


def test_every_statement_is_in_a_store() -> None:
    found = {
        name_of(path)
        for path in sources()
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "text"
    }
    outside = {name for name in found if not is_store(name)}
    assert outside == STATEMENTS


def test_no_transaction_is_opened_in_http() -> None:
    opened = {name_of(path) for path in sources() for call in calls(path) if called(call) == "begin"}
    assert {name for name in opened if is_http(name)} == set()


def test_one_ask_of_a_database_in_http_is_one_question_to_a_store() -> None:
    """What http hands to ``database.run`` is one call: what belongs together is put together in the store."""
    put_together = []
    for path in sources():
        if not is_http(name_of(path)):
            continue
        for call in calls(path):
            asks_database = (
                called(call) == "run"
                and isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Attribute)
                and call.func.value.attr == "database"
            )
            if asks_database and not (
                isinstance(call.args[0], ast.Lambda) and isinstance(call.args[0].body, ast.Call)
            ):
                put_together.append(f"{name_of(path)}:{call.lineno}")
    assert put_together == []


def test_statuses_of_http_are_in_http() -> None:
    found = set()
    for path in sources():
        name = name_of(path)
        if is_http(name) or name.startswith("app/platform/server/"):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Compare | ast.Call | ast.BoolOp):
                # A page of 500 rows and area code 415 are numbers, too: what counts is what stands beside a status.
                line = ast.unparse(node)
                if re.search(r"\bstatus\b|\bAnswer\(|\bRefusalCode\(|\bProblem\(", line) and any(
                    isinstance(part, ast.Constant) and type(part.value) is int and part.value in _STATUS
                    for part in ast.walk(node)
                ):
                    found.add(name)
    assert found == STATUSES


def test_no_branch_is_for_a_platform_that_is_not_supported() -> None:
    """Linux is what the classifiers promise and CI runs."""
    found = []
    for path in sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.If | ast.IfExp | ast.While) and re.search(
                r"sys\.platform|os\.name\b|platform\.system|win32|darwin", ast.unparse(node.test)
            ):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def test_stores_know_no_http() -> None:
    found = [
        name_of(path)
        for path in sources()
        if is_store(name_of(path))
        and re.search(r"^(from|import) (fastapi|starlette)", path.read_text(), re.M)
    ]
    assert found == []
