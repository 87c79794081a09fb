"""Where the person called may be: what numbering finds and the calling window judges."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """One place where the person may be, with every clock that it may keep."""

    region: str | None  # ISO 3166-2, as US-CA; None where only the country is known
    country: str  # ISO 3166-1 alpha-2; the territories of the US are regions of US
    zones: tuple[str, ...]  # IANA names, never empty
    # Why it is considered, for people. No part of what the place is: two reasons for one place are one place.
    reason_considered: str = field(compare=False)
    # The North American area code that says so; None where something else does.
    area_code: str | None = field(default=None, compare=False)

    @property
    def jurisdiction(self) -> str:
        """The region, or the country where no region is known."""
        return self.region or self.country


@dataclass(frozen=True, slots=True)
class Places:
    """Every place to be reckoned with.

    ``unresolved`` says why the number alone tells no place (toll_free, personal_number, …) when nothing else
    did either; ``places`` is empty then, ``help`` says what would make the number usable, and ``anywhere``
    is all that the country has, for accounts that chose to be held to the strictest of it.
    """

    places: tuple[Place, ...]
    country: str | None
    line_type: str
    unresolved: str | None = None
    help: str | None = None
    relied_on_recipient: bool = False
    anywhere: tuple[Place, ...] = ()

    def may_be_in(self, region: str) -> bool:
        """Whether the person may be in the region (US-TX) or the country (US).

        Where only the country is known it may be any region of it, and where nothing is known it may be anywhere.
        """
        if not self.places:
            return self.country is None or region.partition("-")[0] == self.country
        return any(
            region in (place.region, place.country)
            or (place.region is None and region.partition("-")[0] == place.country)
            for place in self.places
        )
