"""What a file of rules is called in a decision's record when it carries no version of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_of(path: Path) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the file's bytes."""
    return short_digest(path.read_bytes())


def short_digest(content: bytes) -> str:
    """Twelve hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]
