"""Fields of a policy: whether consents are asked for where the law leaves it open, and who may be shown as caller."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.numbering.number_fields import SmsSender
from app.platform.http.fields import Body


class ConsentByChannel(Body):
    """Of each channel, whether a consent is asked for where the law leaves it open."""

    call: Literal["law", "all"] = "law"
    sms: Literal["law", "all"] = "law"


ConsentChoice = Annotated[
    Literal["law", "all"] | ConsentByChannel,
    Field(
        description="Where the law leaves it open whether marketing needs a consent: law asks for none, all for one "
        "always; or one of the two for each channel. What the law requires it requires whatever stands here"
    ),
]
Callers = Annotated[
    list[SmsSender],
    Field(max_length=1000, description="The caller ids that the account may show; empty: any"),
]
CallersOnly = Annotated[bool, Field(description="Refuse caller ids that are not among callers, with 422")]
