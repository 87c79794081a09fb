"""Asks Callgate before a call or a text reaches a carrier. Whatever is not an approval is an exception: do not dial."""

from callgate_client.approved import Approval, Call
from callgate_client.asynchronous import AsyncCallgate
from callgate_client.errors import (
    CallgateError,
    Faulty,
    NotApproved,
    NotTold,
    Refused,
    Unavailable,
)
from callgate_client.synchronous import Callgate
from callgate_client.version import VERSION as __version__

__all__ = [
    "Approval",
    "AsyncCallgate",
    "Call",
    "Callgate",
    "CallgateError",
    "Faulty",
    "NotApproved",
    "NotTold",
    "Refused",
    "Unavailable",
    "__version__",
]
