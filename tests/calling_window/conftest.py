from __future__ import annotations

import pytest

from app.law import window_loader as calling_windows
from app.law.window_rules import WindowRules


@pytest.fixture(scope="session")
def rules() -> WindowRules:
    """The project's own rule file."""
    return calling_windows.load()
