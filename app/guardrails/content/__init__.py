"""The content guardrail: what a carrier would filter, found before it costs."""

from app.guardrails.content.findings import ContentFinding, ScanResult, Segments
from app.guardrails.content.fold import folded_hash
from app.guardrails.content.rendering import render
from app.guardrails.content.scanner import ContentScanner
from app.guardrails.content.segments import count_segments
from app.guardrails.content.sensitive import mask
from app.guardrails.content.verdict import evaluate
from app.guardrails.content.volume import judge_spread, spread_digest

__all__ = [
    "ContentFinding",
    "ContentScanner",
    "ScanResult",
    "Segments",
    "count_segments",
    "evaluate",
    "folded_hash",
    "judge_spread",
    "mask",
    "render",
    "spread_digest",
]
