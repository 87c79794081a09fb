"""The ZIP codes of the United States: the state of each, and about where it lies.

``zip_codes.csv`` holds the facts of the zipcodes wheel (code, state, latitude, longitude, kind), written by
``python -m app.numbering.zip_wheel``. The wheel itself takes 0.7 s of CPU and 75 MB to unpack, and looks a
code up by going through all of them (6 ms); the file loads in a few hundredths of a second. The wheel's own
time zones are not used: Tuba City would be an hour wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.platform.files.broken_file import BrokenRuleFile
from app.platform.files.digest import short_digest

if TYPE_CHECKING:  # numpy takes longer to import than a mistake in a command takes to be told
    import numpy as np
    from numpy.typing import NDArray

PATH = Path(__file__).with_name("zip_codes.csv")
MILITARY = frozenset({"AA", "AE", "AP"})
# States in free association: countries of their own that the US mail serves.
ASSOCIATED = frozenset({"FM", "MH", "PW"})
_KM_PER_DEGREE = 111.2


@dataclass(frozen=True, slots=True)
class ZipCode:
    """One ZIP code. Coordinates are None where the source has none."""

    code: str
    state: str
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class ZipCodes:
    """All of them, in columns sorted by code. ``version`` changes with every byte of the file."""

    version: str
    codes: NDArray[np.int32]
    states: tuple[str, ...]
    state_of: NDArray[np.uint8]  # index into states
    latitudes: NDArray[np.float32]  # NaN where unknown
    longitudes: NDArray[np.float32]
    areas: NDArray[np.bool_]  # delivered street by street; the others are post boxes and single buildings

    def find(self, code: str) -> ZipCode | None:
        """The ZIP code of five digits; None when it does not exist."""
        import numpy as np

        index = int(np.searchsorted(self.codes, int(code)))
        if index >= len(self.codes) or int(self.codes[index]) != int(code):
            return None
        latitude, longitude = float(self.latitudes[index]), float(self.longitudes[index])
        known = latitude == latitude
        return ZipCode(
            code,
            self.states[int(self.state_of[index])],
            latitude if known else None,
            longitude if known else None,
        )

    def states_around(self, latitude: float, longitude: float, among: Collection[str]) -> tuple[str, ...]:
        """The states that a point may lie in, the nearest first, of those that are in question by its clock.

        The states of all delivered areas up to three and a half times as far as the nearest, and a kilometre, but
        no more than 50 km farther: an area's point is about as far from its own edge as from the next area's. Boxes
        and buildings would make the nearest look too near. Empty where it is more than 300 km away.
        """
        import numpy as np

        asked = np.array([state in among for state in self.states])
        north = (self.latitudes - latitude) * _KM_PER_DEGREE
        east = (self.longitudes - longitude) * (_KM_PER_DEGREE * float(np.cos(np.radians(latitude))))
        distances = np.where(self.areas & asked[self.state_of], np.hypot(north, east), np.inf)
        distances[np.isnan(distances)] = np.inf  # a code whose place is not known
        nearest = float(distances.min())
        if nearest > 300:
            return ()
        close = np.flatnonzero(distances <= min(3.5 * nearest + 1, nearest + 50))
        ordered = close[np.argsort(distances[close])]
        return tuple(dict.fromkeys(self.states[int(self.state_of[index])] for index in ordered))


def load(path: Path = PATH) -> ZipCodes:
    """Read the table; BrokenRuleFile with the line when it is damaged."""
    import numpy as np

    codes: list[int] = []
    states: dict[str, int] = {}
    state_of: list[int] = []
    latitudes: list[float] = []
    longitudes: list[float] = []
    areas: list[bool] = []
    number = 0
    try:
        content = path.read_bytes()
        for line in content.decode("ascii").splitlines():
            number += 1
            code, state, latitude, longitude, kind = line.split(",")
            if codes and int(code) <= codes[-1]:
                raise ValueError("codes must rise")
            areas.append({"area": True, "box": False}[kind])
            codes.append(int(code))
            state_of.append(states.setdefault(state, len(states)))
            latitudes.append(float(latitude) if latitude else float("nan"))
            longitudes.append(float(longitude) if longitude else float("nan"))
    except (OSError, ValueError, KeyError) as error:
        raise BrokenRuleFile(
            path, number or None, f"is not code,state,latitude,longitude,kind: {error}"
        ) from error
    return ZipCodes(
        short_digest(content),
        np.array(codes, np.int32),
        tuple(states),
        np.array(state_of, np.uint8),
        np.array(latitudes, np.float32),
        np.array(longitudes, np.float32),
        np.array(areas, np.bool_),
    )
