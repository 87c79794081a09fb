"""The filter of a list by destination: a whole number, its beginning, or its last digits."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from app.numbering import spellings
from app.numbering.number_fields import parse_written
from app.platform.http.fields import E164_REASON, malformed
from app.platform.http.problems import Problem
from app.platform.outcomes import FieldFault

LONGEST_PERIOD = timedelta(days=31)
_BEGINNING = re.compile(r"\+[1-9][0-9]{0,13}\*")
_ENDING = re.compile(r"\*[0-9]{2,14}")


def _read(text: str) -> str:
    if "*" not in text:
        return parse_written(text)
    if not _BEGINNING.fullmatch(text) and not _ENDING.fullmatch(text):
        raise malformed(f"{E164_REASON}, a beginning as +1415*, or the last digits as *1234")
    return text


NumberFilter = Annotated[str, AfterValidator(_read)]


def number_filter(
    to: str | None, since: datetime | None, until: datetime | None, now: datetime
) -> dict[str, str | tuple[str, ...] | None]:
    """The filter by its name. No index helps a part of a number: it is looked for within a period.

    Raises a bad-request problem when the period is missing or too long.
    """
    if to is None or "*" not in to:
        return {"to": None if to is None else spellings(to)}
    if since is None or (until or now) - since > LONGEST_PERIOD:
        fault = FieldFault(
            "to", "may be a part of a number within since and until of at most 31 days", "", malformed=True
        )
        raise Problem(
            "bad-request", "A part of a number is looked for within at most 31 days.", faults=[fault]
        )
    return {"to_prefix": to[:-1]} if to.endswith("*") else {"to_ending": to[1:]}
