"""The calling window: when a person may be called or texted where they may be."""

from app.calling_window.forecast import WindowForecast, open_intervals, outlook_document
from app.calling_window.verdict import evaluate

__all__ = ["WindowForecast", "evaluate", "open_intervals", "outlook_document"]
