"""Phone numbers as they are written in texts, found without parsing: digits, blanks and the usual signs.

North American numbers follow the plan's form (NXX-NXX-XXXX); anything after a plus sign counts as
international (ITU-T E.164: up to 15 digits).
"""

from __future__ import annotations

import re

_PHONE = re.compile(
    r"(?<![\w+$.,/\-])(?:"
    r"\+?1?[ .\-]?\(?[2-9]\d{2}\)?[ .\-/]{0,2}[2-9]\d{2}[ .\-]?\d{4}"
    r"|\+[1-9](?:[ .()\-]{0,2}\d){7,14}"
    r"|1-8(?:00|33|44|55|66|77|88)-[a-z0-9](?:-?[a-z0-9]){6,9}"
    r"|[2-9]\d{2}-\d{4}"
    r")(?![\w]|[.\-,]\d)"
)


# The letters of a telephone's keys: 1-800-FLOWERS.
_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")


def digits_of(phone: str) -> str:
    """The digits to dial of a number as ``find_phones`` finds it."""
    return "".join(filter(str.isdigit, phone.translate(_KEYS)))


def find_phones(text: str) -> list[tuple[int, int]]:
    """Spans of the phone numbers of a folded text: lower case, ASCII digits."""
    if sum(map(text.count, "0123456789")) < 4:
        return []
    return [found.span() for found in _PHONE.finditer(text)]
