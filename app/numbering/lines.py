"""One line, several spellings: which numbers reach the same person, so that what binds one binds all.

E.164 gives a line one number, and a few numbering plans do not: they keep, or kept until lately, a second way of
writing it. A number is never rewritten on its way in or out. Whoever looks for what binds it looks under every
spelling (``spellings``); whoever needs one name for the line, for a lock or a counter, takes ``canonical``.

Only spellings that are certainly the same line are here: each is a function of the number alone, both ways. What
was looked at and left out, and the sources, are in docs/numbers.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import phonenumbers

# What a carrier may name as the sender of a message, whether or not the number can be dialled.
_WELL_FORMED = re.compile(r"\+[0-9]{7,15}", re.ASCII)

# An expression for the digits after the plus sign, and how each spelling is made of its groups, the canonical first.
# Where several expressions lead to one line, they list the same spellings in the same order.
_Plan = tuple[re.Pattern[str], tuple[str, ...]]


def _plan(expression: str, *made: str) -> _Plan:
    return re.compile(expression, re.ASCII), made


_ARGENTINA = ("549{0}", "54{0}")
_MEXICO = ("52{0}", "521{0}")
_BRAZIL = ("55{0}9{1}", "55{0}{1}")
_BENIN = ("22901{0}", "229{0}")
_CAMEROON_MOBILE = ("2376{0}", "237{0}")
_CAMEROON_FIXED = ("2372{0}", "237{0}")
_SAN_MARINO = ("3780549{0}", "378{0}", "390549{0}")
_PALESTINE = ("970{0}", "972{0}")
# Eleven digits became ten in 2018: the prefix after +84, old to new.
_VIETNAM: Final = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
    "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",
    "186": "56", "188": "58", "199": "59",
}  # fmt: skip

# By the first two digits, so that nearly every number is told apart by one look.
_PLANS: Final[dict[str, tuple[_Plan, ...]]] = {
    "54": (
        # Mobiles are 9 and the ten digits from abroad, the ten digits alone in most messages.
        _plan(r"549([1-8][0-9]{9})", *_ARGENTINA),
        _plan(r"54([1-8][0-9]{9})", *_ARGENTINA),
    ),
    "52": (_plan(r"521([2-9][0-9]{9})", *_MEXICO), _plan(r"52([2-9][0-9]{9})", *_MEXICO)),
    "55": (
        _plan(r"55([1-9][1-9])9([6-9][0-9]{7})", *_BRAZIL),
        _plan(r"55([1-9][1-9])([6-9][0-9]{7})", *_BRAZIL),
    ),
    "22": (_plan(r"22901([24-9][0-9]{7})", *_BENIN), _plan(r"229([24-9][0-9]{7})", *_BENIN)),
    "23": (
        _plan(r"2376([79][0-9]{7})", *_CAMEROON_MOBILE),
        _plan(r"237([79][0-9]{7})", *_CAMEROON_MOBILE),
        _plan(r"2372(22[0-9]{6})", *_CAMEROON_FIXED),
        _plan(r"237(22[0-9]{6})", *_CAMEROON_FIXED),
    ),
    "37": (_plan(r"378(?:0549)?([89][0-9]{5})", *_SAN_MARINO),),
    "39": (_plan(r"390549([89][0-9]{5})", *_SAN_MARINO),),
    "97": (_plan(r"97[02]([2489][0-9]{7}|5[69][0-9]{7})", *_PALESTINE),),
    "84": tuple(
        _plan(rf"84(?:{old}|{new})([0-9]{{7}})", f"84{new}{{0}}", f"84{old}{{0}}")
        for old, new in _VIETNAM.items()
    ),
}


def spellings(number: str) -> tuple[str, ...]:
    """Every spelling of the line that the number reaches, the canonical one first, at most three of them.

    For nearly every number, and for whatever is no E.164 number, that is the number itself.
    """
    return _of_plan(number) if number[1:3] in _PLANS and number[0] == "+" else (number,)


@lru_cache(maxsize=1024)
def _of_plan(number: str) -> tuple[str, ...]:
    for plan, made in _PLANS[number[1:3]]:
        found = plan.fullmatch(number, 1)
        if found is not None:
            return tuple("+" + spelling.format(*found.groups()) for spelling in made)
    return (number,)


def canonical(number: str) -> str:
    """The one name of the line, whichever way it is spelled."""
    return spellings(number)[0]


def asked_line(number: str) -> tuple[str, ...]:
    """Every spelling of the line, the one that was asked for first: an answer is given under that one."""
    return (number, *(spelling for spelling in spellings(number) if spelling != number))


def recorded_form(sender: str, is_number: Callable[[str], bool]) -> str | None:
    """The number under which what a sender asks for is kept; None for what is no number: a short code, a name.

    Any plus sign with 7 to 15 digits is taken, also where no plan knows it: a person's wish is not lost to a table.
    What can be dialled, as ``is_number`` says, is kept as it came. Where it cannot, but another spelling of the line
    can, that one is taken; and where the number only carries a trunk prefix too much (+44 0…, +54 11 15…), the
    number without it.
    """
    if not _WELL_FORMED.fullmatch(sender):
        return None
    for spelling in (sender, *spellings(sender)):
        if is_number(spelling):
            return spelling
    mended = _without_trunk_prefix(sender)
    return mended if mended is not None and is_number(mended) else sender


def _without_trunk_prefix(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
