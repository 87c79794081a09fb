"""Impostors: a text that opens with a well-known name, or names one anywhere beside a link of the kind that is made
for a day, and leads to somebody else's domain."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from app.content.findings import Span
from app.content.signs.link import Link
from app.content.signs.links import is_own

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
        self.domains: Mapping[str, tuple[str, ...]] = self._domains
        names = "|".join(re.escape(name) for name in sorted(self._domains, key=len, reverse=True))
        # "PayPal: ...", "[USPS] ...", "Alert from Chase - ...": the name is the sender, no mere mention.
        self._opening = re.compile(
            rf"\W*(?:(?:alert|notice|message|msg|free msg|frm|from|the|your|final notice)\W+){{0,3}}({names})"
            r"(?:\s(?:alert|notice|security|support|fraud|fraud dept|service|services|team|final notice|billing"
            r"|delivery))?"
            r"(?:\s?[:\])|>^_\-]|\s-\s|\salert|\s(?:alerts|msg|message|customer|user|member|id)\b)"
        )
        self._mention = re.compile(rf"(?<![a-z0-9.@])({names})(?![a-z0-9]|\.[a-z]|-[a-z])")

    def owns(self, folded: str, link: Link) -> bool:
        """Whether a name that opens the text owns the link: a bank's own alert is no trap."""
        opening = self._opening.match(folded[:_OPENING_LENGTH])
        return opening is not None and _leads_home(link, self._domains[opening.group(1)])

    def find(
        self, folded: str, links: Sequence[Link], names: Collection[str], suspect: Sequence[Link]
    ) -> Span | None:
        """The name in the folded text, when a link leads elsewhere. ``names`` are the account's, folded.

        ``links`` are not the account's; ``suspect`` are those of them beside which a mere mention is enough.
        """
        opening = self._opening.match(folded[:_OPENING_LENGTH])
        if opening is not None:
            name = opening.group(1)
            if self._is_foreign(name, links, links, names):
                return Span("phish.account", opening.start(1), opening.end(1))
        for mention in self._mention.finditer(folded) if suspect else ():
            if self._is_foreign(mention.group(1), suspect, links, names):
                return Span("phish.account", mention.start(1), mention.end(1))
        return None

    def _is_foreign(
        self, name: str, links: Sequence[Link], all_links: Sequence[Link], names: Collection[str]
    ) -> bool:
        """Whether these links lead elsewhere. Beside the name's own link with a path another is a merchant's."""
        domains = self._domains[name]
        if any(name in own for own in names):
            return False
        if any(_leads_home(link, domains) and not link.is_bare for link in all_links):
            return False
        return not all(_leads_home(link, domains) for link in links)


def _leads_home(link: Link, domains: Collection[str]) -> bool:
    """Whether it leads to the name's own pages. A form that anybody can have lies on the name's host, and is not."""
    return not link.anybodys and is_own(link, domains)
