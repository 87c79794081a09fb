"""A ZIP that is written piece by piece to who reads it, with the fingerprint of each member."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, cast


class _Sink:
    """What a ZipFile writes to; it cannot be gone back in."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self.pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""


class Member:
    """A member that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """The next bytes of it."""
        self._hash.update(piece)
        self._file.write(piece)

    def digest(self) -> str:
        """SHA-256 of what was written, in hex."""
        return self._hash.hexdigest()


class ZipStream:
    """Members one after another; ``taken`` hands out what can be sent already."""

    def __init__(self, at: datetime) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._sink), "w", zipfile.ZIP_DEFLATED)
        self._date = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        self.digests: dict[str, str] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """Write a member; one at a time."""
        about = zipfile.ZipInfo(name, self._date)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o644 << 16
        with self._zip.open(about, "w", force_zip64=True) as file:
            member = Member(file)
            yield member
        self.digests[name] = member.digest()

    def put(self, name: str, content: bytes) -> None:
        """A whole member."""
        with self.member(name) as member:
            member.write(content)

    def close(self) -> None:
        """The directory at the end."""
        self._zip.close()

    def taken(self) -> bytes:
        """What was written since."""
        pieces, self._sink.pieces = self._sink.pieces, []
        return b"".join(pieces)
