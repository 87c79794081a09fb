"""The calling window: when a person may be called or texted where they may be."""

from app.guardrails.calling_window.outlook import Outlook, open_intervals, outlook_document
from app.guardrails.calling_window.verdict import evaluate

__all__ = ["Outlook", "evaluate", "open_intervals", "outlook_document"]
