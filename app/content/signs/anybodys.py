"""Places at a well-known name that anybody can have or pass through: forms, pay links and redirectors."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.content.signs.link import Link

# What stands between the host and the path that counts: a port, the place of one of several accounts, of a company.
_BEFORE_PATH = re.compile(r"(?::\d{1,5})?(?:/u/\d{1,2}|/a/[^/?#]{1,100})?")
_AFTER_PREFIX = ("", "/", "?", "#")


class Places:
    """Hosts, each with all below it, and paths of hosts: ``forms.gle``, ``google.com/url``, ``cash.app/$``."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._paths: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            host, slash, path = entry.partition("/")
            if slash:
                self._paths[host] = (*self._paths.get(host, ()), f"/{path}")
            else:
                self._hosts.add(host)

    def have(self, link: Link, shown: str) -> bool:
        """Whether the link leads there. ``shown``: as it is written in the text."""
        name = link.host
        while name:
            if name in self._hosts:
                return True
            name = name.partition(".")[2]
        prefixes = self._paths.get(link.host.removeprefix("www."))
        if prefixes is None:
            return False
        rest = shown.lower().partition(link.host)[2]
        before = _BEFORE_PATH.match(rest)
        path = rest[before.end() :] if before is not None else rest
        return any(
            path.startswith(prefix)
            and (prefix[-1] == "$" or path[len(prefix) : len(prefix) + 1] in _AFTER_PREFIX)
            for prefix in prefixes
        )
