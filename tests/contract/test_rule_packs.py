"""CALLGATE_RULES_DIR: a pack in place of the packaged one, exchanged in every worker at one instant or in none."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.law.window_loader import DIRECTORY, digest_of
from app.platform.postgres.database import Database
from tests.contract.dialler import Dialler
from tests.service import CHECKOUT, RunningService

Start = Callable[..., Dialler]
_ROW = (
    'channels = ["call"]\nvoices = ["any"]\npurposes = ["any"]\nline_types = ["any"]\nrecipients = ["consumer"]\n'
    'requires = []\ncitation = "c"\nconfidence = "low"\n'
)
_DAY = (
    '[[calendar]]\nid = "x"\ncountry = "US"\nsubdivisions = []\nbase = "none"\nconfidence = "low"\n'
    "checked = 2026-01-01\n"
)
# What may stand in a file of rules and is no rule: TOML all the same.
WRONG_VALUES = (
    ("consents.toml", '\n[[consent]]\nid = "x"\nplace = "US"\nalso_in = 5\n' + _ROW),
    ("consents.toml", "\n[x]\ny = " + "[" * 20_000 + "]" * 20_000 + "\n"),
    ("calendars.toml", f'\n{_DAY}days = [{{ name = "y", easter = 999999999 }}]\n'),
    (
        "calendars.toml",
        f'\n{_DAY}days = [{{ name = "y", month = 1, weekday = "monday", nth = 1, plus = 999999999 }}]\n',
    ),
    (
        "windows/world.toml",
        '\n[[no_rule]]\ncountry = ["US"]\nname = "x"\nreason = "y"\nchecked = 2026-01-01\n',
    ),
    ("lists.toml", "\n[[state_list]]\nregion = 5\n"),
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the packaged rules, to be edited."""
    return Path(shutil.copytree(DIRECTORY, tmp_path / "winter"))


def edit(pack: Path, version: str) -> str:
    """Another version of the pack; answers its digest."""
    file = pack / "pack.toml"
    file.write_text(re.sub(r'(?m)^version = ".*"', f'version = "{version}"', file.read_text()))
    return digest_of(pack)


def law_of(dialler: Dialler) -> str:
    """The digest of the pack that answers."""
    return str(dialler.get("/readyz").json()["versions"]["law"])


def hang_up(dialler: Dialler) -> None:
    """SIGHUP to the parent."""
    assert dialler.service.process is not None
    dialler.service.process.send_signal(signal.SIGHUP)


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def under_load() -> Iterator[Callable[[Dialler], list[tuple[float, float, str]]]]:
    """Asks from four threads until the test ends; answers a list of when each was asked and answered, and by what."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(dialler: Dialler) -> list[tuple[float, float, str]]:
        seen: list[tuple[float, float, str]] = []

        def ask() -> None:
            while not stop.is_set():
                asked = time.monotonic()
                body = {"type": "call", "to": "+14155551234", "from": "+12125550100"}
                answer = dialler.post("/v1/intents", body)
                told = answer.json()
                recorded = dialler.get(f"/v1/intents/{told.get('intent_id') or told['id']}")
                seen.append((asked, time.monotonic(), recorded.json()["versions"]["law"]))

        for _ in range(4):
            thread = threading.Thread(target=ask)
            thread.start()
            threads.append(thread)
        return seen

    yield start
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_worker_turns_to_the_new_pack_at_one_instant(
    start_dialler: Start,
    pack: Path,
    under_load: Callable[[Dialler], list[tuple[float, float, str]]],
    workers: int,
) -> None:
    old = digest_of(pack)
    dialler = start_dialler(rules_dir=pack, workers=workers)
    assert law_of(dialler) == old
    assert dialler.get("/readyz").json()["versions"]["law_pack"] == "winter"
    seen = under_load(dialler)
    wait_for(lambda: len(seen) > 20)
    new = edit(pack, "2026.12.01")
    time.sleep(0.5)
    assert {law for _, _, law in seen} == {old}, "not a byte of it is used before it is asked for"
    hang_up(dialler)
    wait_for(lambda: any(law == new for _, _, law in seen))
    before = len(seen)
    wait_for(lambda: len(seen) > before + 40)
    taken = list(seen)
    turned = min(answered for _, answered, law in taken if law == new)
    late = [law for asked, _, law in taken if asked > turned and law != new]
    assert not late, (
        "what is asked after one worker answered by the new pack is answered by it, whichever is asked"
    )
    assert {law for _, _, law in taken} == {old, new}


def test_a_reload_that_is_asked_for_during_the_start_ends_nothing_and_is_not_forgotten(
    database_url: str, redis_url: str, pack: Path
) -> None:
    """The port is open, the rules are being read: systemd may pass a reload on by then."""
    service = RunningService({"database_url": database_url, "redis_url": redis_url, "rules_dir": pack})
    with service.log_file.open("ab") as log:
        service.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=CHECKOUT, env=service.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", service.port), 1).close()
        except OSError:
            return False
        return True

    try:
        wait_for(listens, seconds=60)
        new = edit(pack, "2026.12.24")
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("/readyz")
        dialler = Dialler(service, service.key)
        wait_for(lambda: law_of(dialler) == new)
    finally:
        service.stop()


def test_a_broken_pack_is_refused_with_file_line_and_reason_while_the_old_goes_on(
    start_dialler: Start, pack: Path
) -> None:
    old = digest_of(pack)
    dialler = start_dialler(rules_dir=pack, workers=2)
    file = pack / "windows" / "us.toml"
    whole = file.read_text()
    file.write_text(whole.replace('confidence = "', 'confidance = "', 1))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "confidance" in text)
    hang_up(dialler)
    wait_for(lambda: "the rules stay as they are" in dialler.service.log)
    assert f"us.toml:{line}: " in dialler.service.log
    assert law_of(dialler) == old
    file.write_text(whole)
    new = edit(pack, "2026.12.01")
    hang_up(dialler)
    wait_for(lambda: law_of(dialler) == new)
    assert (
        dialler.post(
            "/v1/intents/preview", {"type": "call", "to": "+14155551234", "from": "+12125550100"}
        ).status
        == 200
    )


def test_no_value_in_a_pack_ends_a_service_that_is_asked_to_take_it_up(
    start_dialler: Start, pack: Path
) -> None:
    """The parent of the workers reads the pack: what it does not foresee would end them all."""
    old = digest_of(pack)
    dialler = start_dialler(rules_dir=pack, workers=1)
    for refusals, (file, more) in enumerate(WRONG_VALUES, 1):
        whole = (pack / file).read_text()
        (pack / file).write_text(whole + more)
        hang_up(dialler)
        wait_for(lambda: dialler.service.log.count("the rules stay as they are") == refusals)  # noqa: B023
        assert law_of(dialler) == old
        (pack / file).write_text(whole)
    new = edit(pack, "2026.12.01")
    hang_up(dialler)
    wait_for(lambda: law_of(dialler) == new)


@pytest.mark.parametrize(("file", "more"), WRONG_VALUES, ids=lambda value: value[:30])
def test_a_pack_is_checked_as_a_service_reads_it(pack: Path, file: str, more: str) -> None:
    with (pack / file).open("a") as written:
        written.write(more)
    found = subprocess.run(
        [sys.executable, "-m", "app.cli", "law", "check", str(pack)], cwd=CHECKOUT, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert found.returncode == 1, found.stderr
    assert f"a rule file is broken: {Path(file).name}" in found.stderr


def test_a_pack_that_is_still_being_written_is_not_taken_up(start_dialler: Start, pack: Path) -> None:
    """The first rules of a file are a file of rules: without the rest, whoever those forbid could be called."""
    old = digest_of(pack)
    dialler = start_dialler(rules_dir=pack, workers=1)
    file = pack / "windows" / "us.toml"
    whole, writing = file.read_text(), threading.Event()
    rules = whole.split("\n[[rule]]")

    def write() -> None:
        """As a copy over a slow line does it, from the beginning to the end."""
        with file.open("w") as out:
            out.write(rules[0])
            for rule in rules[1:]:
                out.write(f"\n[[rule]]{rule}")
                out.flush()
                writing.set()
                time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    writing.wait()
    hang_up(dialler)
    wait_for(lambda: "winter: is being written" in dialler.service.log)
    assert law_of(dialler) == old
    thread.join()
    new = edit(pack, "2026.12.01")
    hang_up(dialler)
    wait_for(lambda: law_of(dialler) == new)


async def test_the_text_of_every_pack_that_decided_is_kept_however_soon_another_takes_its_place(
    start_dialler: Start, pack: Path
) -> None:
    """A decision names its pack by the digest alone; the text is what proves what it said."""
    dialler = start_dialler(rules_dir=pack, workers=1)
    used = {law_of(dialler)}
    for version in ("2026.12.01", "2026.12.02", "2026.12.03"):
        new = edit(pack, version)
        hang_up(dialler)
        wait_for(lambda: law_of(dialler) == new)  # noqa: B023
        used.add(new)
    database = Database(str(dialler.service.settings["database_url"]), timeout_seconds=10)
    try:
        deadline = time.monotonic() + 10
        kept: set[str] = set()
        while not used <= kept and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            async with database.begin() as connection:
                kept = set((await connection.execute(text("SELECT digest FROM rule_texts"))).scalars())
        assert used <= kept
    finally:
        await database.close()


def test_a_worker_that_is_replaced_takes_the_pack_in_force(start_dialler: Start, pack: Path) -> None:
    dialler = start_dialler(rules_dir=pack, workers=2)
    new = edit(pack, "2026.12.01")
    hang_up(dialler)
    wait_for(lambda: law_of(dialler) == new)
    edit(pack, "2026.12.02")  # which nobody has asked for
    assert dialler.service.process is not None
    parent = dialler.service.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    workers = [int(c) for c in children if b"app.cli" in Path(f"/proc/{c}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: "ended with -9" in dialler.service.log)
    for _ in range(60):
        assert law_of(dialler) == new
        time.sleep(0.05)


def test_a_broken_pack_stops_the_start(pack: Path) -> None:
    (pack / "caps.toml").write_text("capp = 1\n")
    service = RunningService(
        {
            "rules_dir": pack,
            "database_url": "postgresql://x@127.0.0.1:1/x",
            "redis_url": "redis://127.0.0.1:1",
        }
    )
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"], cwd=CHECKOUT, env=service.environment, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    service.stop()
    assert ended.returncode == 3
    assert b"a rule file is broken: caps.toml:1" in ended.stderr


def test_the_command_has_the_service_take_up_its_rules_and_says_what_came_of_it(
    start_dialler: Start, pack: Path, tmp_path: Path
) -> None:
    dialler = start_dialler(rules_dir=pack, workers=2, data_dir=tmp_path / "data")

    def reload() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "law", "reload"], cwd=CHECKOUT, env=dialler.service.environment,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    new = edit(pack, "2026.12.01")
    done = reload()
    assert (done.returncode, new in done.stdout) == (0, True), done.stderr
    assert law_of(dialler) == new
    (pack / "caps.toml").write_text("capp = 1\n")
    broken = reload()
    assert (broken.returncode, "caps.toml:1: " in broken.stderr) == (1, True)
    assert law_of(dialler) == new
    dialler.service.terminate()
    shutil.copyfile(DIRECTORY / "caps.toml", pack / "caps.toml")
    nobody = reload()
    assert (nobody.returncode, "no service of this machine" in nobody.stderr) == (3, True)
