"""One scanner for all the content tests; it never changes after it is loaded."""

from __future__ import annotations

import pytest

from app.content import ContentScanner, packaged_scanner


@pytest.fixture(scope="session")
def scanner() -> ContentScanner:
    return packaged_scanner()
