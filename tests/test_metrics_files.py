"""Figures of a parent that was killed are swept by the next; those of a living one, of any release, are not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from app.platform.server.metrics_files import PREFIX, metrics_directory, sweep_dead
from tests.service import CHECKOUT

_HOLDER = """
import os, sys, time
from pathlib import Path
from app.platform.server.metrics_files import metrics_directory
with metrics_directory(Path(sys.argv[1])) as made:
    worker = os.fork()
    if worker == 0:
        time.sleep(60)
        os._exit(0)
    print(made, worker, flush=True)
    time.sleep(60)
"""


def test_the_figures_of_a_killed_parent_are_swept_when_its_last_worker_is_gone(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    told, worker = holder.stdout.readline().split()
    try:
        assert sweep_dead(tmp_path) == []
        holder.kill()
        holder.wait()
        assert sweep_dead(tmp_path) == [], "a worker still counts in it"
    finally:
        os.kill(int(worker), 9)
        holder.stdout.close()
    deadline = time.monotonic() + 5
    while Path(told).exists() and time.monotonic() < deadline:
        with metrics_directory(tmp_path) as mine:
            assert mine.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_figures_of_an_earlier_release_are_swept_when_they_have_been_silent_for_a_day(tmp_path: Path) -> None:
    old = tmp_path / f"{PREFIX}old"
    old.mkdir()
    (old / "counter_1.db").write_bytes(b"")
    elsewhere = tmp_path / "of somebody else"
    elsewhere.mkdir()
    assert sweep_dead(tmp_path) == []
    assert sweep_dead(tmp_path, now=time.time() + 80_000) == []
    assert sweep_dead(tmp_path, now=time.time() + 90_000) == [old]
    assert list(tmp_path.iterdir()) == [elsewhere]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(kept)
    assert sweep_dead(tmp_path, now=time.time() + 90_000) == []
    assert kept.is_dir()
