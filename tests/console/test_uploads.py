"""A list that is uploaded on a page streams in as one of the API's does: at its pace, in its places, kept nowhere."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler, new_account
from tests.contract.test_slow_callers import opened, told
from tests.servers import Servers
from tests.service import PATIENT, Answer, RunningService

MARK = "----of-the-test"
TYPE = f"multipart/form-data; boundary={MARK}"
ADDRESS = "/console/suppressions/imports"


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


def sent(person: Person, *parts: str) -> Answer:
    return person.service.request(
        "POST",
        f"{ADDRESS}?csrf={person.token()}",
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


def test_the_options_of_the_page_are_obeyed_since_they_come_before_the_file(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    page = person.get("/console/suppressions").body.decode()
    for option in ("default_country", "dry_run", "partial", "ignore_columns"):
        assert page.index(f'name="{option}"') < page.index('name="file"')
    rows = "number,colour\n(415) 555-0188,red\nnobody,blue"
    tried = sent(
        person,
        field("default_country", "US"),
        field("dry_run", "yes"),
        field("partial", "yes"),
        field("ignore_columns", "yes"),
        file("list.csv", rows),
    )
    assert "This was a trial" in ended(person, tried)
    assert dialler.get("/v1/suppressions/%2B14155550188").status == 404
    options = (field("default_country", "US"), field("partial", "yes"), field("ignore_columns", "yes"))
    assert "Added 1" in ended(person, sent(person, *options, file("list.csv", rows)))
    assert dialler.get("/v1/suppressions/%2B14155550188").status == 200


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
