"""The rule pack that is edited while the replicas decide by it, and every version that there ever was."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from app.law.window_loader import digest_of

APART_SECONDS = 12.0


class Rules:
    """Edited by whoever comes first, not too often: each version is read by every worker of both replicas."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._edited = time.monotonic()
        self.newest = digest_of(directory)
        self.known = {self.newest}

    def edit(self) -> bool:
        """Another version of the pack, in one step; False when the last is too young."""
        if time.monotonic() - self._edited < APART_SECONDS or not self._lock.acquire(blocking=False):
            return False
        try:
            file = self._directory / "pack.toml"
            text = re.sub(r'(?m)^version = ".*"', f'version = "chaos.{len(self.known)}"', file.read_text())
            # Beside the directory: what lies in it is part of the pack.
            written = self._directory.with_name("pack.toml.new")
            written.write_text(text)
            written.rename(file)
            digest = digest_of(self._directory)
            self.known.add(digest)
            self.newest = digest
            self._edited = time.monotonic()
        finally:
            self._lock.release()
        return True
