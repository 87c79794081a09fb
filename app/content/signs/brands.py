"""Impostors: a text that opens with a well-known name and leads to somebody else's domain."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from app.content.findings import Span
from app.content.signs.links import Link, is_own

_OPENING_LENGTH = 60  # characters in which the name must stand


class Brands:
    """The names with their domains, compiled once. Raises ValueError for an entry that has no domain."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._domains: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            name, _, domains = entry.partition(" = ")
            if not name or not domains.split():
                raise ValueError(f"{entry!r} is not a name, an equals sign and its domains")
            self._domains[name] = tuple(domains.split())
        names = "|".join(re.escape(name) for name in sorted(self._domains, key=len, reverse=True))
        # "PayPal: ...", "[USPS] ...", "Alert from Chase - ...": the name is the sender, no mere mention.
        self._opening = re.compile(
            rf"\W*(?:(?:alert|notice|message|msg|free msg|frm|from|the|your|final notice)\W+){{0,3}}({names})"
            r"(?:\s(?:alert|notice|security|support|fraud|fraud dept|service|services|team|final notice|billing"
            r"|delivery))?"
            r"(?:\s?[:\]|>]|\s-\s|\salert\b)"
        )

    def find(self, folded: str, links: Iterable[Link], names: Collection[str]) -> Span | None:
        """The name in the folded text, when a link leads elsewhere. ``names`` are the account's, folded."""
        opening = self._opening.match(folded[:_OPENING_LENGTH])
        if opening is None:
            return None
        name = opening.group(1)
        if any(name in own for own in names) or all(is_own(link, self._domains[name]) for link in links):
            return None
        return Span("phish.account", opening.start(1), opening.end(1))
