"""What stands beside a phrase in a text, and the way back from the folded text to the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.content.findings import Span
from app.content.packs.pack_loader import Company
from app.content.reading.fold import Fold
from app.content.signs.link import Link
from app.content.signs.phones import digits_of, find_phones


class Beside:
    """Whether a link or a phone number of somebody else stands in the text; looked for when first asked."""

    def __init__(
        self, folded: str, own_phones: frozenset[str], links: list[Link], leads_home: bool = False
    ) -> None:
        """``leads_home``: the text has links, and all are those of the well-known name that it opens with."""
        self._folded, self.own_phones, self._links = folded, own_phones, links
        self._leads_home = leads_home
        self._phones: list[tuple[int, int]] | None = None

    @property
    def phones(self) -> list[tuple[int, int]]:
        """Where they stand in the folded text."""
        if self._phones is None:
            found = find_phones(self._folded)
            if self.own_phones:
                found = [
                    span for span in found if digits_of(self._folded[slice(*span)]) not in self.own_phones
                ]
            self._phones = found
        return self._phones

    def has(self, kind: Company | Literal["home"]) -> bool:
        """Whether there is one; "home": that the text leads nowhere but to the name that it opens with."""
        if kind == "home":
            return self._leads_home and not self.phones
        return bool(self._links) if kind == "link" else bool(self.phones)


@dataclass(slots=True)
class WayBack:
    """The way back from the folded text; the map is built when a first span needs it."""

    fold: Fold
    body: str
    folded: str
    places: list[int] | None = None

    def original(self, span: Span) -> Span:
        """The span of the original text."""
        if self.body.isascii():
            return span
        if self.places is None:
            self.places = self.fold.index_map(self.body)
        return Span(span.rule, self.places[span.start], self.places[span.end - 1] + 1, span.severity)
