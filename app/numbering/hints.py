"""What a caller says of where the recipient is, turned into places."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.guardrail.facts import Recipient
from app.guardrail.places import Place
from app.numbering.regions import Region, Regions
from app.numbering.zip_codes import ASSOCIATED, MILITARY, ZipCodes
from app.numbering.zones import canonical_zone, country_of_zone, is_zone, same_clock, zones_of_countries

if TYPE_CHECKING:
    from timezonefinder import TimezoneFinder

_ZIP = re.compile(r"([0-9]{5})(?:-[0-9]{4})?", re.ASCII)  # of ZIP+4 the place is that of the five


class HintError(ValueError):
    """A hint that names no place: 422. ``field`` is the member of ``recipient``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Hints:
    """Reads hints by the ZIP table, the region table and the outlines of the time zones."""

    regions: Regions
    zip_codes: ZipCodes
    finder: TimezoneFinder

    def places(self, recipient: Recipient, of_number: tuple[Place, ...]) -> tuple[Place, ...]:
        """The places that the hints name; HintError when one of them names none.

        Hints together describe one address: a zone that the region keeps narrows it to that zone. Where they
        contradict each other both places are reckoned with.
        """
        found: list[Place] = []
        if recipient.postal_code is not None:
            found.append(self.of_postal_code(recipient.postal_code))
        if recipient.latitude is not None or recipient.longitude is not None:
            found += self.of_coordinates(recipient.latitude, recipient.longitude)
        zone = self._zone(recipient.timezone) if recipient.timezone is not None else None
        if recipient.region is not None:
            region = self.regions.find(recipient.region)
            if region is None:
                raise HintError(
                    "region", f"{recipient.region!r} is not a region of ISO 3166-2 that is known here"
                )
            if not any(place.region == region.code for place in found):
                kept = tuple(name for name in region.zones if zone is not None and same_clock(name, zone))
                zones = kept or region.zones
                found.append(Place(region.code, region.country, zones, f"recipient.region {region.code}"))
        if zone is not None and not _shown(zone, found):
            found += self.of_zone(zone, of_number)
        return tuple(found)

    def is_full_address(self, recipient: Recipient) -> bool:
        """Whether the hints name one place with its clock: enough to be trusted over an area code."""
        return (
            recipient.postal_code is not None
            or recipient.latitude is not None
            or (recipient.region is not None and recipient.timezone is not None)
        )

    def of_postal_code(self, code: str) -> Place:
        """The place of a US ZIP code."""
        written = _ZIP.fullmatch(code)
        if written is None:
            raise HintError("postal_code", "must be a US ZIP code of five digits")
        known = self.zip_codes.find(written[1])
        if known is None:
            raise HintError("postal_code", f"{code} is not a US ZIP code in use")
        if known.state in MILITARY:
            raise HintError(
                "postal_code", f"{code} is a military or diplomatic address, which may be anywhere"
            )
        reason_considered = f"recipient.postal_code {code}"
        zone = None
        if known.latitude is not None and known.longitude is not None:
            zone = self.finder.timezone_at_land(lng=known.longitude, lat=known.latitude)
        if known.state in ASSOCIATED:
            return Place(
                None, known.state, (zone,) if zone else zones_of_countries()[known.state], reason_considered
            )
        region = self.regions.by_code[f"US-{known.state}"]
        # A point off the coast or over the border tells nothing: then every clock of the state counts.
        zones = (zone,) if zone is not None and country_of_zone(zone) is not None else region.zones
        return Place(region.code, "US", zones, reason_considered)

    def of_coordinates(self, latitude: float | None, longitude: float | None) -> list[Place]:
        """The places that a point may be in; several near a border of states."""
        if latitude is None:
            raise HintError("latitude", "is missing: longitude was given")
        if longitude is None:
            raise HintError("longitude", "is missing: latitude was given")
        if not -90 <= latitude <= 90:
            raise HintError("latitude", "must be -90 to 90 degrees")
        if not -180 <= longitude <= 180:
            raise HintError("longitude", "must be -180 to 180 degrees")
        zone = self.finder.timezone_at_land(lng=longitude, lat=latitude)
        country = country_of_zone(zone) if zone is not None else None
        if zone is None or country is None:
            raise HintError("latitude", "and longitude name a point at sea, where no law of a place is known")
        reason_considered = f"recipient.latitude and longitude {latitude:.2f}, {longitude:.2f}"
        keeping = self.regions_of_zone(zone)
        regions = list(keeping)
        if country in ("US", "PR", "VI", "GU", "AS", "MP"):
            by_state = {region.code.removeprefix("US-"): region for region in keeping}
            around = self.zip_codes.states_around(latitude, longitude, by_state.keys())
            regions = [by_state[state] for state in around] or regions
        if not regions:
            return [Place(None, country, (zone,), reason_considered)]
        return [Place(region.code, region.country, (zone,), reason_considered) for region in regions]

    def of_zone(self, zone: str, of_number: tuple[Place, ...]) -> list[Place]:
        """The places in which a zone is kept: the number's own regions if they keep it, else all of them.

        A zone tells a clock and not a state, so without any other word the rules of every state that keeps
        it hold.
        """
        reason_considered = f"recipient.timezone {zone}"
        if _shown(zone, of_number):
            return []
        regions = self.regions_of_zone(zone)
        own = {place.region for place in of_number}
        chosen = [region for region in regions if region.code in own] or list(regions)
        if chosen:
            return [Place(region.code, region.country, (zone,), reason_considered) for region in chosen]
        country = country_of_zone(zone)
        assert country is not None  # _zone has seen to it
        return [Place(None, country, (zone,), reason_considered)]

    def regions_of_zone(self, zone: str) -> tuple[Region, ...]:
        """The listed regions that keep a zone."""
        return self.regions.by_zone.get(zone, ())

    def _zone(self, name: str) -> str:
        if not is_zone(name):
            raise HintError("timezone", f"{name!r} is not a zone of the IANA database")
        if country_of_zone(name) is None:
            raise HintError("timezone", f"{name!r} is a clock and not a place; name one as America/New_York")
        return canonical_zone(name)


def _shown(zone: str, places: Iterable[Place]) -> bool:
    """Whether a place keeps the zone's time, by whatever name: most people say New York and mean Detroit."""
    return any(same_clock(zone, kept) for place in places for kept in place.zones)
