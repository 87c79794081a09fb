"""What the columns of people's lists usually go by, in small letters with ``_`` between words."""

from __future__ import annotations

from collections.abc import Mapping


def _all_of(column: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), column)


NUMBER = _all_of(
    "number",
    "phone phone_number phonenumber phone_no phone# telephone telephone_number tel mobile mobile_number"
    " mobile_phone cell cell_phone cellphone msisdn e164 contact_number",
)
EXPIRES_AT: Mapping[str, str] = _all_of(
    "expires_at", "expires expiry expiry_date expiration expiration_date expires_on"
)
REASON: Mapping[str, str] = _all_of("reason", "note notes comment comments")
GIVEN_AT: Mapping[str, str] = _all_of("given_at", "given given_on consent_date consented_at opt_in_date")
