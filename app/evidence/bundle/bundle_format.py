"""The file of evidence: which members it has, and what its signature is made over."""

from __future__ import annotations

FORMAT = 1
README, MANIFEST, SIGNATURE = "README.txt", "manifest.json", "manifest.sig"
RECORDS, SEALS, KEYS = "records.ndjson", "seals.ndjson", "keys.json"
REGISTRIES, OUTCOMES, RULES = "registries.json", "outcomes.ndjson", "rules/"
_DOMAIN = b"callgate evidence 1\n"


def signed_manifest(manifest: bytes) -> bytes:
    """What ``manifest.sig`` is the signature of."""
    return _DOMAIN + manifest
