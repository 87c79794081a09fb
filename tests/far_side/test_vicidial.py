"""VICIdial's list filter, the script itself on a real MariaDB, with the settings of docs/connectors/vicidial.md."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.contract.dialler import Dialler
from tests.far_side.mariadb import MariaDb
from tests.far_side.vicidial import Lead, VicidialLists, checkout
from tests.servers import Servers
from tests.service import CHECKOUT, RunningService, free_port

pytestmark = pytest.mark.far_side
DOCUMENTED = "https://vicidial:cg_…@gate.example.com/connectors/dnc-scrub"


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VicidialLists]:
    source = checkout()
    database = MariaDb(tmp_path_factory.mktemp("mariadb"))
    try:
        yield VicidialLists(source, database, tmp_path_factory.mktemp("vicidial"))
    finally:
        database.stop()


@pytest.fixture
def list_id() -> int:
    return secrets.randbelow(10**9) + 10**9


def documented_container(address: str) -> str:
    """The settings that the page tells people to put, with another address."""
    page = (CHECKOUT / "docs" / "connectors" / "vicidial.md").read_text()
    found = re.search(r"```\n(LOGIN_ID =>.*?)```", page, re.DOTALL)
    assert found is not None
    assert found[1].count(DOCUMENTED) == 1
    return found[1].replace(DOCUMENTED, address)


def address_of(dialler: Dialler, key: str | None = None) -> str:
    return f"http://vicidial:{key or dialler.key}@127.0.0.1:{dialler.service.port}/connectors/dnc-scrub"


def fresh(count: int) -> list[Lead]:
    first = secrets.randbelow(90) + 10
    return [Lead(f"41555{first}{number:03d}", "NEW") for number in range(count)]


def test_each_lead_gets_the_status_of_its_code_and_those_that_are_settled_keep_theirs(
    lists: VicidialLists, list_id: int, dialler: Dialler, operator: Dialler
) -> None:
    name = f"vici{time.time_ns()}"
    operator.put(f"/v1/registries/{name}", {"kind": "custom"})
    loaded = operator.post(
        f"/v1/registries/{name}/versions", b"+14155550161\n", headers={"Content-Type": "text/plain"}
    )
    job = loaded.json()
    while job["status"] == "running":
        time.sleep(0.02)
        job = operator.get(f"/v1/registries/{name}/jobs/{job['id']}").json()
    assert dialler.post("/v1/suppressions", {"number": "+14155550160"}).status in (200, 201)
    lists.set_container(documented_container(address_of(dialler)))
    lists.load(
        list_id,
        [
            Lead("4155550162", "NEW"),
            Lead("4155550160", "NEW"),
            Lead("4155550161", "NEW"),
            Lead("1115550100", "NEW"),
            Lead("415555016", "NEW"),
            Lead("4155550162", "NEW"),
            Lead("4155550163", "DNC"),
            Lead("4155550164", "SALE"),
            Lead("4155550165", "CGOK"),
        ],
    )
    assert lists.filter(list_id)
    operator.delete(f"/v1/registries/{name}")
    assert [lead.status for lead in lists.leads(list_id)] == [
        "CGOK", "DNCL", "DNCL", "DC", "NEW", "CGOK", "DNC", "SALE", "CGOK",
    ]  # fmt: skip
    assert lists.logged(list_id) == 6
    assert lists.log_codes(list_id) == ["DNC.com SCRUB STARTED", "DNC.com SCRUB FINISHED"]


def test_a_lead_that_was_clean_is_marked_when_the_person_has_asked_since(
    lists: VicidialLists, list_id: int, dialler: Dialler
) -> None:
    lists.set_container(documented_container(address_of(dialler)))
    lists.load(list_id, [Lead("4155550171", "NEW"), Lead("4155550172", "NEW")])
    lists.filter(list_id)
    assert [lead.status for lead in lists.leads(list_id)] == ["CGOK", "CGOK"]
    dialler.post("/v1/suppressions", {"number": "+14155550171"})
    lists.filter(list_id)
    assert [lead.status for lead in lists.leads(list_id)] == ["DNCL", "CGOK"]


def test_thousands_are_marked_in_one_go(lists: VicidialLists, list_id: int, dialler: Dialler) -> None:
    """More than the script takes from its database at a time, and more than libcurl sends without asking first."""
    leads = [Lead(f"212{number:07d}", "NEW") for number in range(5550000, 5552500)]
    barred = {leads[at].number for at in range(0, len(leads), 97)}
    rows = "number\n" + "".join(f"+1{number}\n" for number in sorted(barred))
    taken = dialler.post("/v1/suppressions/imports", rows.encode(), headers={"Content-Type": "text/csv"})
    assert taken.status == 202, taken.body
    job = taken.json()
    while job["status"] == "running":
        time.sleep(0.05)
        job = dialler.get(f"/v1/suppressions/imports/{job['id']}").json()
    assert job["status"] == "succeeded", job
    lists.set_container(documented_container(address_of(dialler)))
    lists.load(list_id, leads)
    lists.filter(list_id, seconds=100)
    found = lists.leads(list_id)
    assert {lead.number for lead in found if lead.status == "DNCL"} == barred
    assert {lead.status for lead in found} == {"DNCL", "CGOK"}
    assert lists.logged(list_id) == len(leads)


class Between(BaseHTTPRequestHandler):
    """Stands between the script and a clean list, and spoils it."""

    fault: ClassVar[str] = ""
    numbers: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answers what Callgate would for clean numbers, spoiled by the fault."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = "".join(f"{number},C\n" for number in self.numbers).encode()
        told = len(body)
        if self.fault == "cut":
            body = body[: told // 2]
        elif self.fault == "html":
            body = b"<html><body>502 Bad Gateway</body></html>"
            told = len(body)
        elif self.fault == "empty":
            body, told = b"", 0
        elif self.fault == "of another list":
            body = body.replace(b"415", b"212")
        elif self.fault == "redirect":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(told))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("fault", ["cut", "html", "empty", "of another list", "redirect"])
def test_an_answer_that_is_spoiled_on_its_way_marks_no_lead(
    lists: VicidialLists, list_id: int, fault: str
) -> None:
    leads = fresh(40)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    Between.fault, Between.numbers = fault, [lead.number for lead in leads]
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        lists.set_container(documented_container(f"http://127.0.0.1:{server.server_port}/"))
        lists.load(list_id, leads)
        lists.filter(list_id)
        assert lists.leads(list_id) == leads
        Between.fault = ""  # and it was the fault that did it
        lists.filter(list_id)
        assert {lead.status for lead in lists.leads(list_id)} == {"CGOK"}
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_what_callgate_cannot_decide_marks_no_lead(
    lists: VicidialLists, list_id: int, dialler: Dialler
) -> None:
    leads = fresh(3)
    lists.load(list_id, leads)
    reader = dialler.with_key("intents:read")
    for address in (
        f"http://vicidial:cg_any@127.0.0.1:{free_port()}/connectors/dnc-scrub",  # nobody listens
        address_of(dialler, "cg_unknown"),
        address_of(dialler, reader.key),
        address_of(dialler) + "?purpose=nothing",
        address_of(dialler) + "-of-another-path",
    ):
        lists.set_container(documented_container(address))
        lists.filter(list_id)
        assert lists.leads(list_id) == leads, address
    lists.set_container(documented_container(address_of(dialler)))
    lists.filter(list_id)
    assert {lead.status for lead in lists.leads(list_id)} == {"CGOK"}


def test_a_list_is_left_as_it_was_while_postgres_is_away(
    lists: VicidialLists,
    list_id: int,
    start_service: Callable[..., RunningService],
    breakable_servers: Servers,
) -> None:
    service = start_service()
    dialler = Dialler(service, service.key)
    leads = fresh(3)
    lists.load(list_id, leads)
    lists.set_container(documented_container(address_of(dialler)))
    breakable_servers.stop_postgres()
    lists.filter(list_id)
    assert lists.leads(list_id) == leads
    breakable_servers.start_postgres()
    service.wait_for("/readyz")
    lists.filter(list_id)
    assert {lead.status for lead in lists.leads(list_id)} == {"CGOK"}
