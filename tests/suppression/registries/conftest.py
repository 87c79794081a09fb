"""A migrated database for the tests of registries, and engines as the service makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.platform.postgres.database import Database


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The service's own engine for bulk work, on a database of this test's own."""
    database = Database(database_url)
    yield database.bulk
    await database.close()
