"""The Lua scripts, read once at import, and commands in Redis's wire format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^--@include (\w+\.lua)$", re.MULTILINE)


def _source(name: str) -> str:
    """The script's text, each file that it includes put in at the place of its ``--@include`` line."""
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: _source(match.group(1)), text)


def packed(parts: Sequence[str]) -> bytes:
    """A command as Redis reads it: an array of bulk strings."""
    body = "".join([f"${len(part)}\r\n{part}\r\n" for part in parts])
    if body.isascii():
        return f"*{len(parts)}\r\n{body}".encode("ascii")
    encoded = [part.encode() for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded])


class Script:
    """One script. Sent by its digest; by its text only to a server that has forgotten it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = _source(name)
        self.digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def by_digest(self, keys: Sequence[str], arguments: Sequence[str]) -> bytes:
        """The command as it is sent first."""
        return packed(["EVALSHA", self.digest, str(len(keys)), *keys, *arguments])

    def by_text(self, keys: Sequence[str], arguments: Sequence[str]) -> bytes:
        """The command for a server that answered NOSCRIPT: loads and runs in one step."""
        return packed(["EVAL", self.source, str(len(keys)), *keys, *arguments])


ADMIT = Script("admit.lua")
SPEND = Script("spend.lua")
RELEASE = Script("release.lua")
WITHDRAW = Script("withdraw.lua")
RENEW = Script("renew.lua")
LEASE = Script("lease.lua")
USAGE = Script("usage.lua")
MEMBERS = Script("members.lua")
FORGET = Script("forget.lua")
EXPIRED = Script("expired.lua")
REBUILD = Script("rebuild.lua")
HOLDINGS = Script("holdings.lua")
PROBE = Script("probe.lua")
ALL = (
    ADMIT,
    SPEND,
    RELEASE,
    WITHDRAW,
    RENEW,
    LEASE,
    USAGE,
    MEMBERS,
    FORGET,
    EXPIRED,
    REBUILD,
    HOLDINGS,
    PROBE,
)
