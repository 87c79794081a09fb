"""Which column of somebody's list is which of ours: as they say, as lists usually call it, or refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.platform.files.byte_stream import UnusableList
from app.platform.files.rejects import readable

_BETWEEN_WORDS = re.compile(r"[\s.\-]+")


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """``columns``: ours. ``required``: those that a CSV header must have. ``usual``: what else a header may call them.

    ``chosen``: what this list calls some of ours, as it is written there, None for what is passed over; nothing else is
    then taken for those. ``ignore``: pass over columns that are none of ours, rather than refuse the list.
    """

    columns: frozenset[str]
    required: frozenset[str] = frozenset()
    usual: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str | None] = field(default_factory=dict)
    ignore: bool = False

    def guess(self, written: str) -> str | None:
        """Which of ours a header's words mean by themselves; None when they mean none."""
        name = _BETWEEN_WORDS.sub("_", written.strip().lower())
        name = self.usual.get(name, name)
        return name if name in self.columns else None

    def of_header(self, fields: Sequence[str]) -> list[str | None]:
        """Of each column which it is; None for one that is passed over. Raises UnusableList."""
        told = {_key(written): name for written, name in self.chosen.items()}
        taken = set(told.values())
        found: list[str | None] = []
        for written in fields:
            if _key(written) in told:
                name = told[_key(written)]
            else:
                name = self.guess(written)
                name = None if name in taken else name
                if name is None and not self.ignore:
                    shown, allowed = readable(written.strip().lower()), ", ".join(sorted(self.columns))
                    raise UnusableList(
                        f"the first line has the unknown column {shown!r}; the columns may be {allowed}"
                    )
            if name is not None and name in found:
                raise UnusableList(f"the column {name} stands in the first line twice")
            found.append(name)
        for written, name in self.chosen.items():
            if name is not None and name not in found:
                raise UnusableList(f"the first line has no column {readable(written)!r} to take for {name}")
        for name in sorted(self.required):
            if name not in found:
                raise UnusableList(f"the first line lacks the column {name}")
        return found

    def of_members(self, values: dict[str, Any]) -> dict[str, Any]:
        """An object of NDJSON under our names, members being called exactly so. Raises ValueError for others."""
        if not self.chosen:
            unknown = values.keys() - self.columns
            known = values
        else:
            taken = set(self.chosen.values())
            names = {each: self.chosen.get(each, "" if each in taken else each) for each in values}
            unknown = {each for each, name in names.items() if name is not None and name not in self.columns}
            known = {name: values[each] for each, name in names.items() if name in self.columns}
        if unknown and not self.ignore:
            raise ValueError(f"unknown field {readable(min(unknown))}")
        return known


def chosen_columns(given: Iterable[str], columns: Collection[str]) -> dict[str, str | None]:
    """Which of our ``columns`` those of a list are, of pairs like ``number:Phone no. 2``; None of ``:Notes``.

    Raises ValueError.
    """
    chosen: dict[str, str | None] = {}
    for pair in given:
        name, parted, written = pair.partition(":")
        if not parted or not written.strip():
            raise ValueError("must be one of our columns, a colon, and what the list calls it")
        if name and name not in columns:
            raise ValueError(f"must begin with one of {', '.join(sorted(columns))}, or with the colon")
        if written in chosen or (name and name in chosen.values()):
            raise ValueError("must name a column once")
        chosen[written] = name or None
    return chosen


class AnyColumns(ColumnNames):
    """Every column under its place, from 0; for a first look at a list of which nothing is known."""

    def of_header(self, fields: Sequence[str]) -> list[str | None]:
        """The places."""
        return [str(place) for place in range(len(fields))]

    def of_members(self, values: dict[str, Any]) -> dict[str, Any]:
        """The object as it is."""
        return values


def _key(written: str) -> str:
    return " ".join(written.split()).casefold()
