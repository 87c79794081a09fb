"""Seals and keys as they are answered, and as they stand in a file of evidence."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from app.evidence.proof.seal_body import Seal
from app.instants import rfc3339


def seal_document(seal: Seal) -> dict[str, Any]:
    """The members that were signed, with the signature and the hash by which the next seal names this one."""
    said: dict[str, Any] = orjson.loads(seal.body)
    return {**said, "signature": base64.b64encode(seal.signature).decode(), "hash": seal.hash}


def key_document(key: Mapping[str, Any]) -> dict[str, Any]:
    """A key as everybody may know it."""
    return {
        "id": key["id"],
        "algorithm": "Ed25519",
        "public_key": base64.b64encode(key["public_key"]).decode(),
        "first_used_at": rfc3339(key["first_used_at"]),
        "introduced_by": key["introduced_by"],
        "introduction": base64.b64encode(key["introduction"]).decode() if key["introduction"] else None,
        "ended": key["ended"],
        "ended_at": rfc3339(key["ended_at"]) if key["ended_at"] else None,
    }
