"""A seal: the root over the records of an account's hour, chained to the seal before and signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.evidence.proof.record_bytes import FORMAT

BEGINNING = "0" * 64  # what stands for the seal before in an account's first
# How late a decision's commit may be: an Idempotency-Key lives a day, and a batch may be gone on with for a day.
LATE = timedelta(hours=26)
# What a signature is of, so that it can be taken for no other statement of the same key.
_SEAL, _INTRODUCTION = b"callgate seal 1\n", b"callgate key 1\n"


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it is stored. ``body`` is what was signed, byte for byte."""

    number: int
    body: bytes
    signature: bytes

    @property
    def hash(self) -> str:
        """By which the next seal names this one, in hex."""
        return hashlib.sha256(self.body).hexdigest()

    def says(self) -> dict[str, Any]:
        """The members of the body. Raises ValueError for a body that is not as bodies are."""
        said = orjson.loads(self.body)
        wanted = {
            "format",
            "account_id",
            "number",
            "hour",
            "until",
            "records",
            "root",
            "previous",
            "key",
            "made_at",
        }
        if not isinstance(said, dict) or set(said) != wanted or body_of(said) != self.body:
            raise ValueError(f"the body of seal {self.number} is not one of format {FORMAT}")
        return said


def body_of(said: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: the members as JSON, keys sorted, no blanks."""
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def seal_body(
    account_id: str,
    number: int,
    hour: datetime,
    until: datetime,
    records: int,
    root: bytes,
    previous: str,
    key: str,
    made_at: datetime,
) -> bytes:
    """The body of a seal over the hour from ``hour`` to ``until``."""
    return body_of(
        {
            "format": FORMAT,
            "account_id": account_id,
            "number": number,
            "hour": hour,
            "until": until,
            "records": records,
            "root": root.hex(),
            "previous": previous,
            "key": key,
            "made_at": made_at,
        }
    )


def signed_of(body: bytes) -> bytes:
    """What the signature of a seal is made over."""
    return _SEAL + body


def introduction_of(public_key: bytes) -> bytes:
    """What a key signs when it hands over to the next."""
    return _INTRODUCTION + public_key
