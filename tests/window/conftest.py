from __future__ import annotations

import pytest

from app.rules import calling_windows
from app.rules.window_rules import WindowRules


@pytest.fixture(scope="session")
def rules() -> WindowRules:
    """The project's own rule file."""
    return calling_windows.load()
