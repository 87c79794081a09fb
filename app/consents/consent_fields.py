"""The kinds of consents and their evidence, as bodies carry them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field

from app.platform.http.fields import malformed, unusable
from app.platform.visible_text import is_blank
from app.platform.written_json import nested_deeper

MAX_EVIDENCE_BYTES = 8192
# Far fewer than JSON can be written with, so that lists, seals and bundles hold what is taken in.
MAX_EVIDENCE_LEVELS = 64
StoredKind = Literal["express", "express_written", "purchase", "inquiry", "existing_business"]


def _of_today(kind: str) -> str:
    """An existing business relationship of unknown origin is held to be the shorter of the two."""
    return "inquiry" if kind == "existing_business" else kind


def _evidence(given: object) -> object:
    if not isinstance(given, dict | str):
        raise malformed("must be a JSON object or a text")
    if not given or (isinstance(given, str) and is_blank(given)):
        raise unusable("must say what proves the consent")
    if nested_deeper(given, MAX_EVIDENCE_LEVELS):
        raise unusable(f"must be nested at most {MAX_EVIDENCE_LEVELS} levels deep")
    try:
        written = orjson.dumps(given)
    except orjson.JSONEncodeError:
        raise unusable("must be JSON of Unicode text, and of whole numbers within 64 bits") from None
    if len(written) > MAX_EVIDENCE_BYTES:
        raise unusable(f"must be at most {MAX_EVIDENCE_BYTES} bytes of JSON")
    if b"\\u0000" in written:
        raise unusable("must not contain a NUL character")
    return given


Kind = Annotated[
    StoredKind, AfterValidator(_of_today), Field(description="existing_business is taken for inquiry")
]
Evidence = Annotated[
    dict[str, Any] | str,
    BeforeValidator(_evidence),
    Field(description="What proves it: a JSON object or a text, up to 8 KiB"),
]
