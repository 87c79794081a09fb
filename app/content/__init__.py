"""The content guardrail: what a carrier would filter, found before it costs."""

from app.content.findings import ContentFinding, ScanResult, Segments
from app.content.reading.fold import folded_hash
from app.content.rendering import render
from app.content.scanner import CallsOnly, ContentScanner, packaged_scanner
from app.content.segments import count_segments
from app.content.signs.sensitive import mask
from app.content.verdict import ContentResult, evaluate
from app.content.volume import evaluate_spread, spread_digest

__all__ = [
    "CallsOnly",
    "ContentFinding",
    "ContentResult",
    "ContentScanner",
    "ScanResult",
    "Segments",
    "count_segments",
    "evaluate",
    "evaluate_spread",
    "folded_hash",
    "mask",
    "packaged_scanner",
    "render",
    "spread_digest",
]
