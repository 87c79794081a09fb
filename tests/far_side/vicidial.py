"""VICIdial's own list filter, unchanged, from a checkout of its public repository that who runs the tests has fetched.

Nothing of VICIdial is in this repository: the script and the tables of its database are read there, and only as the
revision that the tests know.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.far_side.mariadb import DATABASE, PASSWORD, USER, MariaDb

REVISION = "739c0ce2c9869273a82060a167e4ccc743180078"
SCRIPT, TABLES = "bin/AST_DNCcom_filter.pl", "extras/MySQL_AST_CREATE_tables.sql"
KNOWN = {
    SCRIPT: "e2f386a63d510f86fc4b36a49e8efb29f33e689201453ca1b4cba7359f8a4ef9",
    TABLES: "d7e1391895d37972405e32cafca7c583fc3aeee4d5e301840c5598ffa89df468",
}
HOW = (
    "VICIdial is not shipped. Fetch it yourself, git clone https://github.com/ccabrerar/vicidial and in it"
    f" git checkout {REVISION}; then make test-vicidial VICIDIAL=that/directory"
)
_ASKED_OF = (
    "vicidial_list",
    "vicidial_settings_containers",
    "vicidial_admin_log",
    "vicidial_dnccom_filter_log",
)
# The script reads /etc/astguiclient.conf and nothing else: it gets an /etc of its own with that file in it.
_OWN_ETC = """
set -e
mount --bind /etc "$1/real"
ln -s "$1"/real/* "$1/etc/"
rm -f "$1/etc/astguiclient.conf"
cp "$1/astguiclient.conf" "$1/etc/astguiclient.conf"
mount --bind "$1/etc" /etc
shift
exec "$@"
"""


def checkout() -> Path:
    """The fetched VICIdial; skips with what to do where there is none, and fails where it is another one."""
    named = os.environ.get("CALLGATE_TEST_VICIDIAL", "")
    if not named:
        pytest.skip(HOW)
    directory = Path(named)
    for name, digest in KNOWN.items():
        assert (directory / name).is_file(), f"{directory} has no {name}. {HOW}"
        found = hashlib.sha256((directory / name).read_bytes()).hexdigest()
        assert found == digest, f"{name} is not that of revision {REVISION}"
    return directory


@dataclass(frozen=True)
class Lead:
    """A row of vicidial_list after the script was there."""

    number: str
    status: str


class VicidialLists:
    """VICIdial's tables in a MariaDB, and its script on them."""

    def __init__(self, source: Path, database: MariaDb, directory: Path) -> None:
        self._script, self._database, self._directory = source / SCRIPT, database, directory
        schema = (source / TABLES).read_text(encoding="latin-1")
        for table in _ASKED_OF:
            found = re.search(rf"^CREATE TABLE {table} \(.*?^\)[^;]*;", schema, re.DOTALL | re.MULTILINE)
            assert found is not None, table
            database.run(f"DROP TABLE IF EXISTS {table}; {found[0]}")
        (directory / "etc").mkdir()
        (directory / "real").mkdir()
        (directory / "astguiclient.conf").write_text(
            "PATHhome => /usr/share/astguiclient\nPATHlogs => /var/log/astguiclient\nVARserver_ip => 127.0.0.1\n"
            f"VARDB_server => 127.0.0.1\nVARDB_database => {DATABASE}\nVARDB_user => {USER}\n"
            f"VARDB_pass => {PASSWORD}\nVARDB_port => {database.port}\n"
        )

    def set_container(self, entry: str) -> None:
        """Puts the text of the settings container DNCDOTCOM."""
        quoted = entry.replace("\\", "\\\\").replace("'", "''")
        self._database.run(
            "REPLACE INTO vicidial_settings_containers (container_id, container_entry)"
            f" VALUES ('DNCDOTCOM', '{quoted}');"
        )

    def load(self, list_id: int, leads: list[Lead]) -> None:
        """Loads the leads in this order."""
        rows = ", ".join(f"('{lead.status}', {list_id}, '1', '{lead.number}')" for lead in leads)
        self._database.run(
            f"INSERT INTO vicidial_list (status, list_id, phone_code, phone_number) VALUES {rows};"
        )

    def filter(self, list_id: int, seconds: float = 60.0) -> bool:
        """Runs the script over the list, as a dialler's crontab would; whether it came to its end."""
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", _OWN_ETC, "sh", str(self._directory),
             "perl", str(self._script), "--debug", f"--lists={list_id}"],
            capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip
        for link in (self._directory / "etc").iterdir():
            link.unlink()
        assert "DNCDOTCOM" in done.stdout, done.stderr  # it got as far as to read its settings
        return done.returncode == 0

    def leads(self, list_id: int) -> list[Lead]:
        """The leads of the list as they are now."""
        asked = f"SELECT phone_number, status FROM vicidial_list WHERE list_id = {list_id} ORDER BY lead_id;"
        return [Lead(*row) for row in self._database.run(asked)]

    def logged(self, list_id: int) -> int:
        """How many leads the script says that it marked."""
        asked = f"SELECT count(*) FROM vicidial_dnccom_filter_log WHERE list_id = {list_id};"
        return int(self._database.run(asked)[0][0])

    def log_codes(self, list_id: int) -> list[str]:
        """What the script told VICIdial's own log, in order."""
        asked = (
            f"SELECT event_code FROM vicidial_admin_log WHERE record_id = '{list_id}' ORDER BY admin_log_id;"
        )
        return [row[0] for row in self._database.run(asked)]
