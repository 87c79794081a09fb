"""The carriers whose webhooks are understood, by the names that they have in paths and policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from app.replies.carriers.bandwidth import BANDWIDTH
from app.replies.carriers.plivo import PLIVO
from app.replies.carriers.sinch import SINCH
from app.replies.carriers.telnyx import TELNYX
from app.replies.carriers.twilio import TWILIO
from app.replies.carriers.vonage import VONAGE
from app.replies.carriers.webhook import Carrier

CarrierName = Literal["twilio", "telnyx", "plivo", "vonage", "sinch", "bandwidth"]
CARRIERS: Mapping[CarrierName, Carrier] = {
    "twilio": TWILIO,
    "telnyx": TELNYX,
    "plivo": PLIVO,
    "vonage": VONAGE,
    "sinch": SINCH,
    "bandwidth": BANDWIDTH,
}
