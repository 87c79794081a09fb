"""Fields of a policy: whether consents are asked for where the law leaves it open, and who may be shown as caller."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from app.numbering.number_fields import SmsSender
from app.platform.http.fields import Body, Words, unusable

_DOMAIN = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})"
)
_PHONE = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}", re.ASCII)


class ConsentByChannel(Body):
    """Of each channel, whether a consent is asked for where the law leaves it open."""

    call: Literal["law", "all"] = "law"
    sms: Literal["law", "all"] = "law"


def _for_each(given: object) -> object:
    if isinstance(given, str):
        if given not in ("law", "all"):
            raise unusable("must be law or all, or an object of one of them for call and for sms")
        return {"call": given, "sms": given}
    return given


_WORD = {"type": "string", "enum": ["law", "all"]}
ConsentAsked = Annotated[
    ConsentByChannel,
    BeforeValidator(_for_each),
    WithJsonSchema(
        {
            "anyOf": [
                _WORD,
                {
                    "type": "object",
                    "properties": {"call": _WORD, "sms": _WORD},
                    "additionalProperties": False,
                },
            ],
            "default": "law",
            "description": "Where the law leaves it open whether marketing needs a consent: law asks for none, all for "
            "one always; or one of the two for each channel. What the law requires it requires whatever stands here",
        }
    ),
]
ConsentChoice = Literal["law", "all"] | ConsentByChannel  # as it is answered
Callers = Annotated[
    list[SmsSender],
    Field(max_length=1000, description="The caller ids that the account may show; empty: any"),
]
CallersOnly = Annotated[bool, Field(description="Refuse caller ids that are not among callers, with 422")]
MissingLists = Annotated[
    Literal["warn", "block"],
    Field(description="A marketing contact in a state whose own list is not loaded here, or too old"),
]


def _domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text.lower()):
        raise unusable("must be a domain without scheme, port and path, as example.com")
    return text.lower()


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise unusable("must be a plus sign and 7 to 15 digits, or a short code of 3 to 8 digits")
    return text


Domain = Annotated[Words, AfterValidator(_domain)]
Phone = Annotated[Words, AfterValidator(_phone)]
