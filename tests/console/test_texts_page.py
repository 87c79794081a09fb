"""Texts: what is found is underlined as one types, and a file of templates is told rule by rule."""

from __future__ import annotations

import json

import pytest

from tests.console.conftest import Looker
from tests.console.person import Person, signed_in, words
from tests.contract.dialler import Dialler
from tests.service import Answer

TEMPLATES = (
    "Your table is ready.\nCheap viagra, no prescription\nCheap viagra for you, no prescription\n"
    "Win at our casino tonight\n"
)


def sent(person: Person, name: str, content: bytes, **fields: str) -> Answer:
    """The form of a file, as a browser without script sends it."""
    edge = "a-line-that-is-in-no-file"
    given = {"csrf": person.token(), **fields}
    body = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in given.items()
    ).encode()
    body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'.encode()
    body += b"Content-Type: application/octet-stream\r\n\r\n" + content + f"\r\n--{edge}--\r\n".encode()
    cookies = "; ".join(f"{each}={value}" for each, value in person.cookies.items())
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}", "Cookie": cookies}
    return person.service.request("POST", "/console/texts/file", body, headers=headers)


def test_a_file_of_templates_is_a_row_a_rule_without_any_script(dialler: Dialler) -> None:
    person = signed_in(dialler.service, dialler.key)
    answer = sent(person, "spring.txt", TEMPLATES.encode())
    page = words(answer)
    assert answer.status == 200
    assert "3 of 4 texts in spring.txt would be refused" in page
    assert "Refused: 2, 3, 4" in page
    row = next(each for each in answer.body.decode().split("<tr>") if "“Cheap viagra”" in each)
    assert ">2</td>" in row, "it is in two texts"
    assert "2, 3" in row
    table = json.dumps([{"body": "Your table is ready."}]).encode()
    assert "The one text in a.json would pass" in words(sent(person, "a.json", table))
    first = words(sent(person, "a.json", table, first_contact="yes"))
    assert "1 of 1 text in a.json would be refused" in first, "it names no sender and no way out"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("", b"", "Choose a file"),
        ("a.txt", b"\xff\xfe", "is not UTF-8"),
        ("a.csv", b"id,x\n1,2\n", "has no column"),
        ("a.csv", b"body," + b"x" * 200_000 + b"\nhi,1\n", "is no CSV"),
        ("a.csv", b"body\n" + b"x" * 200_000, "is no CSV"),
        ("a.json", b"[" * 100_000, "nested too deep"),
        ("a.txt", b"text\n" * 2001, "holds 2,001 texts"),
        ("<b>.txt", b"", "holds no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_beside_the_field(
    dialler: Dialler, name: str, content: bytes, told: str
) -> None:
    answer = sent(signed_in(dialler.service, dialler.key), name, content)
    assert answer.status == 422
    assert words(answer).count(told) == 2, "above the form and beside the field"
    assert b"<b>.txt" not in answer.body


async def test_a_person_sees_what_would_be_refused_while_typing_and_sends_a_file(
    looker: Looker, dialler: Dialler
) -> None:
    page = await looker.sign_in(dialler.key)
    await looker.open("/console/texts")
    await page.get_by_label("The text").press_sequentially("Cheap viagra, no prescription 😀")
    await page.locator("#found mark.blocks").first.wait_for()
    await page.locator("#found").get_by_text("UCS-2").wait_for()
    await page.locator("#found").get_by_text("What would make it pass").wait_for()
    await looker.looks_sound()
    await page.get_by_text("A file of templates").click()
    file = {"name": "spring.txt", "mimeType": "text/plain", "buffer": TEMPLATES.encode()}
    await page.locator("#field-file").set_input_files(file)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Scan the file").click()
    await page.get_by_role("heading", name="A file of templates").wait_for()
    await page.get_by_text("of 4 texts in spring.txt would be refused").wait_for()
    await looker.looks_sound()
