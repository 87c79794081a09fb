"""Number and hints to places. Everything is loaded once, before the workers are forked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import timezone as number_zones

from app.guardrail.facts import Recipient
from app.guardrail.places import Place, Places
from app.numbering import area_codes, regions, zip_codes, zones
from app.numbering.area_codes import AreaCodes
from app.numbering.hints import Hints
from app.numbering.number import Number, Numbers
from app.numbering.regions import TERRITORIES, Regions

# Line types that tell the country's name at most, never where in the world the person carries the phone.
_PLACELESS = frozenset({"toll_free", "personal_number", "non_geographic", "satellite", "pager", "voicemail"})
# Mexico, Argentina and Brazil: their mobiles have the area code of a place, as those of +1 have.
_AREA_CODES_ON_MOBILES = frozenset({52, 54, 55})
_NO_PLACE = "the number tells no place"
_HELP = (
    "say where the person is: recipient.postal_code (a US ZIP code), recipient.latitude and longitude, or "
    "recipient.region with recipient.timezone"
)


@dataclass(frozen=True, slots=True)
class NumberLocator:
    """The tables of numbers and places."""

    numbers: Numbers
    hints: Hints
    regions: Regions
    area_codes: AreaCodes

    @classmethod
    def load(cls) -> NumberLocator:
        """Read every table and try each once; BrokenRuleFile when one must not be used."""
        from timezonefinder import TimezoneFinder  # and numpy with it, which the numbers alone do not need

        known_regions, codes = _plan()
        finder = TimezoneFinder(in_memory=False)
        loaded = cls(plan_numbers(), Hints(known_regions, zip_codes.load(), finder), known_regions, codes)
        # Touch what loads itself on first use, so that the first request does not pay for it.
        loaded.locate(loaded.numbers.parse("+33142345678"), Recipient(postal_code="10001"), False)
        return loaded

    def locate(self, number: Number, recipient: Recipient | None, trust_recipient: bool) -> Places:
        """Every place where the person may be.

        Hints add places and never take any away: a number may be ported and a person may travel. Only where
        the account trusts a full address over the area code do the hints stand alone, which
        ``relied_on_recipient`` records. Raises HintError for a hint that names no place.
        """
        of_number = self.of_number(number)
        hinted = self.hints.places(recipient, of_number) if recipient is not None else ()
        if recipient is not None and trust_recipient and self.hints.is_full_address(recipient):
            return Places(hinted, number.country, number.line_type, relied_on_recipient=True)
        found = (*of_number, *hinted)
        if found:
            return Places(found, number.country, number.line_type)
        return Places(
            (),
            number.country,
            number.line_type,
            _why_unresolved(number),
            _HELP,
            anywhere=self.anywhere(number),
        )

    def of_number(self, number: Number) -> tuple[Place, ...]:
        """The places that the number itself tells; empty when it tells none."""
        if number.area_code is not None:
            if number.area_code not in self.area_codes.by_code:
                return self.anywhere(number)  # a code that was opened since: it may be anywhere in the plan
            return _of_area_code(self.area_codes, number.area_code)
        if not number.known or number.country is None or number.line_type in _PLACELESS:
            return ()
        if number.line_type == "fixed_line" or number.calling_code in _AREA_CODES_ON_MOBILES:
            return _of_prefix(number)
        return _of_country(number.country)

    def anywhere(self, number: Number) -> tuple[Place, ...]:
        """All of the country that the number belongs to; for +1 without a place the US and Canada."""
        if number.calling_code == 1:
            countries = [number.country] if number.country is not None else ["US", "CA"]
            listed = [region for country in countries for region in self.regions.of_country(country)]
            # The territories are countries of their own to ISO 3166-1; the states and provinces are meant.
            why = f"area code {number.area_code} is not known here" if number.area_code else _NO_PLACE
            return tuple(
                Place(region.code, region.country, region.zones, why)
                for region in listed
                if region.code.removeprefix("US-") not in TERRITORIES
            )
        countries = [
            code for code in phonenumbers.region_codes_for_country_code(number.calling_code) if code != "001"
        ]
        return tuple(place for country in countries for place in _of_country(country))


@lru_cache(maxsize=1)
def _plan() -> tuple[Regions, AreaCodes]:
    known_regions = regions.load()
    return known_regions, area_codes.load(known_regions)


@lru_cache(maxsize=1)
def plan_numbers() -> Numbers:
    """What reads numbers, without the tables of places. BrokenRuleFile for a table that must not be used."""
    return Numbers(_plan()[1])


@lru_cache(maxsize=1024)
def _of_area_code(codes: AreaCodes, area_code: str) -> tuple[Place, ...]:
    code = codes.by_code[area_code]
    if code.non_geographic is not None or code.country is None:
        return ()
    reason_considered = f"area code {area_code}"
    if not code.regions:
        return (Place(None, code.country, code.zones, reason_considered, area_code),)
    return tuple(
        Place(region, code.country, kept, reason_considered, area_code) for region, kept in code.regions
    )


@lru_cache(maxsize=512)
def _of_country(country: str) -> tuple[Place, ...]:
    kept = zones.zones_of_countries().get(country)
    if kept is None:
        # Kosovo, Ascension and Tristan da Cunha have numbers and no line in zone.tab.
        kept = {"XK": ("Europe/Belgrade",), "AC": ("Atlantic/St_Helena",), "TA": ("Atlantic/St_Helena",)}.get(
            country, ()
        )
    return (Place(None, country, kept, f"numbers of {country}"),) if kept else ()


@lru_cache(maxsize=4096)
def _of_prefix(number: Number) -> tuple[Place, ...]:
    """The clocks of the exchange, or of the area that the number's prefix names."""
    assert number.country is not None
    whole = _of_country(number.country)
    if whole and len(whole[0].zones) == 1:
        return whole
    told = number_zones.time_zones_for_number(phonenumbers.parse(number.e164, None))
    usable = tuple(name for name in told if zones.is_zone(name) and zones.has_place(name))
    if not usable:
        return whole
    return (Place(None, number.country, usable, "the prefix of the number"),)


def _why_unresolved(number: Number) -> str:
    if not number.known:
        return "unknown_number"
    if number.line_type in ("toll_free", "personal_number", "satellite"):
        return number.line_type
    return "non_geographic"
