"""A list that is uploaded on a page streams in as one of the API's does: at its pace, in its places, kept nowhere."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator

import pytest

from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler, new_account
from tests.contract.streams import ServerMemory
from tests.contract.test_slow_callers import opened, told
from tests.servers import Servers
from tests.service import PATIENT, Answer, RunningService

MARK = "----of-the-test"
TYPE = f"multipart/form-data; boundary={MARK}"
ADDRESS, LOOK = "/console/suppressions/imports", "/console/suppressions/upload"


@pytest.fixture(scope="module")
def hasty(servers: Servers) -> Iterator[RunningService]:
    """A service whose patience is short."""
    database = servers.fresh_database()
    settings = {
        "database_url": servers.database_url(database),
        "redis_url": servers.redis_url,
        "stream_timeout_seconds": 2,
        **PATIENT,
    }
    with RunningService(settings) as running:
        yield running
    servers.drop_database(database)


def field(name: str, value: str) -> str:
    return f'--{MARK}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def file(name: str, rows: str) -> str:
    head = f'--{MARK}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{head}Content-Type: text/csv\r\n\r\n{rows}\r\n"


def cookies(person: Person) -> str:
    return "; ".join(f"{name}={value}" for name, value in person.cookies.items())


def sent(person: Person, *parts: str, to: str = ADDRESS, query: str = "") -> Answer:
    return person.service.request(
        "POST",
        f"{to}?csrf={person.token()}{query}",
        ("".join(parts) + f"--{MARK}--\r\n").encode(),
        headers={"Content-Type": TYPE, "Cookie": cookies(person), "Accept": "text/html"},
    )


def ended(person: Person, answer: Answer) -> str:
    assert answer.status == 303, words(answer)
    for _ in range(200):
        page = person.reads(answer.headers["location"])
        if "Under way" not in page:
            return page
        time.sleep(0.05)
    raise AssertionError(page)


def chosen(page: str) -> dict[str, str]:
    """The fields that a look's page would send back, as they stand."""
    page = html.unescape(page)
    selects = re.findall(r'<select id="[^"]+" name="([^"]+)">(.*?)</select>', page, re.DOTALL)
    found = {}
    for name, options in selects:
        values = re.findall(r'<option value="([^"]*)"( selected)?', options)
        found[name] = next((value for value, is_it in values if is_it), values[0][0])
    ticket = re.search(r'name="ticket" value="([^"]+)"', page)
    assert ticket
    return {**found, "ticket": ticket[1]}


def fields(given: dict[str, str]) -> list[str]:
    return [field(name, value) for name, value in given.items()]


def looked_at(person: Person, rows: str, name: str = "list.csv", **given: str) -> dict[str, str]:
    answer = sent(person, *fields(given), file(name, rows), to=LOOK)
    assert answer.status == 200, words(answer)
    return chosen(answer.body.decode())


def test_columns_are_guessed_confirmed_tried_and_taken_without_a_script(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    rows = "Name,Telefon,Notes,Expiry\nAnn,(415) 555-0188,letter,2199-01-01\nBob,nobody,,\n"
    first = sent(person, file("list.csv", rows), to=LOOK)
    page = words(first)
    assert "(415) 555-0188 , calls and texts, until Tue 1 Jan 2199" in page
    assert "rejected: number must be E.164 format" in page
    given = chosen(first.body.decode())
    assert {name: given[name] for name in given if name != "ticket"} == {
        "column-0": ":Name",
        "column-1": "number:Telefon",
        "column-2": "reason:Notes",
        "column-3": "expires_at:Expiry",
        "default_country": "US",
    }
    assert first.body.decode().index('name="ticket"') < first.body.decode().index('name="file"')
    assert dialler.get("/v1/suppressions/imports").json()["items"] == [], "a look makes no import"
    given |= {"column-2": ":Notes", "partial": "yes"}
    tried = ended(person, sent(person, *fields(given), file("list.csv", rows), query="&dry_run=yes"))
    assert "This was a trial: nothing was changed." in tried
    assert "Would be added 1" in tried
    assert dialler.get("/v1/suppressions/%2B14155550188").status == 404
    fresh = looked_at(person, rows, **{name: given[name] for name in given if name != "ticket"})
    assert fresh["column-2"] == ":Notes", "what was chosen stays chosen"
    done = ended(person, sent(person, *fields(fresh | {"partial": "yes"}), file("list.csv", rows)))
    assert "Added 1" in done
    assert "1 row: number must be E.164" in done
    assert "3 Number must be E.164 format" in done, "the line of the file"
    (entry,) = dialler.get("/v1/suppressions/%2B14155550188").json()["entries"]
    assert (entry["reason"], entry["expires_at"]) == ("", "2199-01-01T00:00:00Z")


def test_a_form_that_is_sent_twice_is_one_import(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    rows = "number\n+14155550188\n"
    given = looked_at(person, rows)
    once = sent(person, *fields(given), file("list.csv", rows))
    ended(person, once)
    again = sent(person, *fields(given), file("list.csv", rows))
    assert again.headers["location"] == once.headers["location"]
    assert len(dialler.get("/v1/suppressions/imports").json()["items"]) == 1
    other = signed_in(dialler.service, dialler.key)
    ended(other, sent(other, *fields(given), file("list.csv", rows)))
    assert len(dialler.get("/v1/suppressions/imports").json()["items"]) == 2, "a ticket is its session's"


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        ("a,b\n1,2\n", "list.csv", "No column is taken for the number"),
        ("phone,phone\n+14155550188,+14155550189\n", "list.csv", "Two columns are called phone"),
        ("", "list.csv", "the file is empty"),
        ("number\n", "list.csv", "holds no row under its headings"),
        ('{"phone": "+14155550188"}\n{"x', "list.ndjson", "not valid JSON"),
        ("<b>x</b>,number\n<i>,+14155550188\n", "<u>.csv", "<u>.csv: guessed from its headings"),
        (",number\nx,+14155550188\n", "list.csv", "without a heading passed over"),
        ("number," + ",".join(f"c{n}" for n in range(60)) + "\n", "list.csv", "21 more columns beyond these"),
        ("number," + "x" * 7000 + "\n", "list.csv", "longer than this page can carry"),
    ],
)
def test_a_look_tells_what_is_wrong_with_the_list(dialler: Dialler, rows: str, name: str, said: str) -> None:
    answer = sent(signed_in(dialler.service, dialler.key), file(name, rows), to=LOOK)
    assert answer.status in (200, 422)
    assert said in words(answer)
    assert not any(f"<{tag}>x" in answer.body.decode() for tag in "bui")


def test_a_choice_of_columns_is_not_taken_for_another_file_s(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    given = looked_at(person, "Phone,Phone 2\n+14155550188,+14155550189\n")
    swapped = {"column-0": ":Phone", "column-1": "number:Phone 2"}
    assert looked_at(person, "tel,x\n+14155550188,1\n", **swapped)["column-0"] == "number:tel"
    refused = ended(person, sent(person, *fields(given | swapped), file("list.csv", "tel\n+14155550188\n")))
    assert "no column 'Phone 2'" in refused


def test_a_look_at_a_long_list_reads_it_and_keeps_nothing(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    rows = "number\n" + "".join(f"+1415{2000000 + n}\n" for n in range(1_600_000))
    memory = ServerMemory(dialler.service)
    assert looked_at(person, rows)["column-0"] == "number:number"
    assert memory.grown_kilobytes() < 10_000, "of twenty megabytes"


def test_progress_of_an_import_that_is_another_account_s_says_no_more_than_of_none(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    done = sent(person, file("list.csv", "number\n+14155550188\n"))
    ended(person, done)
    path = done.headers["location"]
    assert "Rows read 1" in person.reads(f"{path}/progress?size=9")
    other = signed_in(dialler.service, new_account(dialler.service).key)
    for rest in ("", "/rejects", "?part=inner"):
        assert other.get(path + rest).status == 404
    nobodys = other.get(f"{ADDRESS}/01a210d3-f12c-788e-b8b9-b4ec231d2c92/progress").body
    assert other.get(f"{path}/progress").body == nobodys
    assert b"Take it back" not in nobodys
    assert other.post(f"{path}/take-back").status == 404
    assert dialler.get("/v1/suppressions/%2B14155550188").status == 200


def test_rejects_are_paged_by_their_lines(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    rows = "number\n" + "".join(f"bad{n}\n" for n in range(120))
    answer = sent(person, file("list.csv", rows))
    page = ended(person, answer)
    assert "120 rows: number must be E.164" in page
    assert "50 rows, of 120 rejected" in page
    path = answer.headers["location"]
    last = person.reads(f"{path}?after=102")
    assert "19 rows behind line 102, of 120 rejected" in last
    assert "bad119" in last
    assert "Show the next ones" not in last


def test_the_list_is_exported_from_its_page_as_it_is_by_the_api(dialler: Dialler) -> None:
    dialler.put("/v1/suppressions/%2B14155550188", {"reason": "by letter"})
    person = signed_in(dialler.service, dialler.key)
    for format in ("csv", "ndjson"):
        assert f"export?format={format}" in person.get("/console/suppressions").body.decode()
        there = person.get(f"/console/suppressions/export?format={format}")
        assert there.body == dialler.get(f"/v1/suppressions/export?format={format}").body
        assert b"+14155550188" in there.body
    only_write = signed_in(dialler.service, dialler.with_key("suppressions:write").key)
    assert only_write.get("/console/suppressions/export").status == 403
    assert signed_in(dialler.service, dialler.with_key("suppressions:read").key).get(LOOK).status == 403


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((field("partial", "yes"),), "holds no file"),
        ((file("", ""),), "Choose a file"),
        ((field("nobodys", "x"), file("list.csv", "number")), "nobody knows"),
        ((field("partial", "yes"), field("partial", "no"), file("list.csv", "number")), "twice"),
        ((field("partial", "x" * 300_000), file("list.csv", "number")), "does not begin with a file"),
    ],
    ids=["no file", "none chosen", "an unknown field", "a field twice", "a field without an end"],
)
def test_a_form_that_is_none_of_the_page_s_is_told_so(
    dialler: Dialler, parts: tuple[str, ...], why: str
) -> None:
    answer = sent(signed_in(dialler.service, dialler.key), *parts)
    assert answer.status == 422
    assert why in words(answer)


def test_an_upload_that_stalls_is_not_waited_for(hasty: RunningService) -> None:
    person = signed_in(hasty, new_account(hasty).key)
    began = time.monotonic()
    with opened(
        hasty,
        f"Content-Type: {TYPE}",
        f"Cookie: {cookies(person)}",
        "Content-Length: 50000000",
        path=f"{ADDRESS}?csrf={person.token()}",
    ) as connection:
        connection.sendall(file("list.csv", "number\n+14155550188\n").encode())
        told(connection)
    assert time.monotonic() - began < 20


def test_an_account_uploads_no_more_lists_at_once_than_its_share(hasty: RunningService) -> None:
    """The third is refused though not a byte of its rows has come: nothing takes in what there is no place for."""
    person = signed_in(hasty, new_account(hasty).key)
    head = (f"Content-Type: {TYPE}", f"Cookie: {cookies(person)}", "Content-Length: 50000000")
    path = f"{ADDRESS}?csrf={person.token()}"
    held = [opened(hasty, *head, path=path) for _ in range(2)]
    try:
        for connection in held:
            connection.sendall(file("list.csv", "number\n+14155550188\n" * 3000).encode())
        time.sleep(0.7)
        with opened(hasty, *head, path=path) as third:
            third.sendall(file("list.csv", "number").encode())
            third.settimeout(5)
            assert third.recv(4096).startswith(b"HTTP/1.1 429 ")
    finally:
        for connection in held:
            connection.close()
