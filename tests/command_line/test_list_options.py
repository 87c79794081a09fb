"""Lists of suppressions and of consents by the command line: tried, read as a country writes, and taken back."""

from __future__ import annotations

from pathlib import Path

from tests.command_line.conftest import CommandLine
from tests.contract.dialler import Dialler


def test_a_list_is_tried_taken_and_taken_back(
    callgate: CommandLine, dialler: Dialler, tmp_path: Path
) -> None:
    file, account = tmp_path / "people.csv", ("--account", dialler.account_id)
    file.write_text("Phone;City\n(310) 555-0206;Reno\n3105550207;Reno\n")
    how = ("--default-country", "US", "--ignore-columns", *account)
    tried = callgate.json("import", file, "--dry-run", *how)
    assert (tried["status"], tried["dry_run"], tried["added"]) == ("succeeded", True, 2)
    assert "changed nothing" in callgate.run("import", file, "--dry-run", *how).stdout.decode()
    assert dialler.get("/v1/suppressions").json()["items"] == []
    done = callgate.json("import", file, *how)
    assert dialler.get("/v1/suppressions/+13105550207").status == 200
    assert callgate.json("suppressions", "take-back", done["id"], *account)["taken_back"] == 2
    assert "2 entries" in callgate.run("suppressions", "take-back", done["id"], *account).stdout.decode()
    assert dialler.get("/v1/suppressions/+13105550207").status == 404
    refused = callgate.run("import", file, "--default-country", "USA", *account, status=2)
    assert "two letters" in refused.stderr.decode()

    file.write_text("Phone;Phone 2;Grund\n3105550208;3105550209;letter\n")
    chosen = ("--column", "number:Phone 2", "--column", "reason:Grund")
    assert callgate.json("import", file, *how, *chosen)["added"] == 1
    assert dialler.get("/v1/suppressions/+13105550209").json()["entries"][0]["reason"] == "letter"
    wrong = callgate.run("import", file, *how, "--column", "phone:Phone 2", status=2)
    assert "must begin with one of" in wrong.stderr.decode()


def test_consents_go_in_and_out_in_bulk(callgate: CommandLine, dialler: Dialler, tmp_path: Path) -> None:
    file, out, account = tmp_path / "in.csv", tmp_path / "out.ndjson", ("--account", dialler.account_id)
    file.write_text(
        "number,kind,channels,given_at,evidence\n+13105550206,purchase,call sms,2026-01-05,bill 7\n"
    )
    done = callgate.json("consents", "import", file, *account)
    assert (done["status"], done["added"], done["changed"]) == ("succeeded", 1, 0)
    stored = dialler.get("/v1/consents/+13105550206").json()
    assert (stored["kind"], stored["given_at"], stored["evidence"]) == (
        "purchase", "2026-01-05T00:00:00Z", "bill 7"
    )  # fmt: skip
    assert callgate.json("consents", "export", "-o", out, *account)["consents"] == 1
    assert callgate.json("consents", "import", out, *account)["unchanged"] == 1
    assert callgate.run("consents", "export", *account).stdout.startswith(b"number,kind,channels")
    assert callgate.json("consents", "take-back", done["id"], *account)["taken_back"] == 0, (
        "named again since"
    )
    put = ("consents", "put", "+13105550207", "--evidence", "paper", "--given-at", "2026-01-05", *account)
    assert callgate.json(*put, "--kind", "existing_business")["kind"] == "inquiry"
    again = callgate.json("consents", "import", "-", "--format", "csv", *account, given=file.read_bytes())
    assert again["unchanged"] == 1
