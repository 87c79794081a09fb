"""Lua scripts, read once at import, and commands in Redis's wire format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

# Every script of this process, to be loaded into a server before it is first asked.
LOADED: list[Script] = []
_INCLUDE = re.compile(r"^--@include (\w+\.lua)$", re.MULTILINE)


def packed(parts: Sequence[str]) -> bytes:
    """A command as Redis reads it: an array of bulk strings."""
    body = "".join([f"${len(part)}\r\n{part}\r\n" for part in parts])
    if body.isascii():
        return f"*{len(parts)}\r\n{body}".encode("ascii")
    encoded = [part.encode() for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded])


def _source(folder: Path, name: str) -> str:
    """The script's text, each file that it includes put in at the place of its ``--@include`` line."""
    text = (folder / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: _source(folder, match.group(1)), text)


class Script:
    """One script. Sent by its digest; by its text only to a server that has forgotten it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.source = _source(folder, name)
        self.digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        LOADED.append(self)

    def by_digest(self, keys: Sequence[str], arguments: Sequence[str]) -> bytes:
        """The command as it is sent first."""
        return packed(["EVALSHA", self.digest, str(len(keys)), *keys, *arguments])

    def by_text(self, keys: Sequence[str], arguments: Sequence[str]) -> bytes:
        """The command for a server that answered NOSCRIPT: loads and runs in one step."""
        return packed(["EVAL", self.source, str(len(keys)), *keys, *arguments])
