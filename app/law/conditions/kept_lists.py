"""The do-not-call lists that a country and its states keep: the rows ``state_list`` of a pack's ``lists.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.law.field_reader import FieldReader

_FILE = "lists.toml"
_NEEDED = ("region", "name", "keeper", "url", "renew", "applies_to", "citation", "confidence")


@dataclass(frozen=True, slots=True, eq=False)
class KeptList:
    """A list, who keeps it, and how old it may be when it is used."""

    region: str
    name: str
    keeper: str
    url: str
    renew: str
    max_age_days: int
    applies_to: tuple[str, ...]
    recipients: tuple[str, ...]
    citation: str
    confidence: str
    note: str = ""

    @property
    def kind(self) -> str:
        """The kind of registry that holds it."""
        return "state_dnc" if "-" in self.region else "national_dnc"


def kept_lists(directory: Path) -> tuple[KeptList, ...]:
    """The lists that a pack names, the countries' first; none when it has no such file."""
    path = directory / _FILE
    if not path.is_file():
        return ()
    reader = FieldReader(path)
    found: list[KeptList] = []
    for index, entry in enumerate(reader.table.get("state_list", ())):
        reader.at = ("state_list", index)
        for key in _NEEDED:
            if key not in entry:
                reader.fail(None, f"{key} is missing")
        age = entry.get("max_age_days")
        if not isinstance(age, int) or isinstance(age, bool) or age < 1:
            reader.fail("max_age_days", "max_age_days must be a positive number of days")
        found.append(reader.guard(_kept, entry))
    return tuple(sorted(found, key=lambda item: ("-" in item.region, item.region)))


def _kept(entry: Mapping[str, Any]) -> KeptList:
    return KeptList(
        max_age_days=entry["max_age_days"],
        applies_to=tuple(entry["applies_to"]),
        recipients=tuple(entry.get("recipients", ("consumer",))),
        note=str(entry.get("note", "")),
        **{
            name: str(entry[name])
            for name in ("region", "name", "keeper", "url", "renew", "citation", "confidence")
        },
    )
