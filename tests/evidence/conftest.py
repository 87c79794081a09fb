"""A database whose sealing began some hours ago."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.platform.postgres.database import Database
from tests.evidence.recorded import HOUR, begin_sealing, now_hour


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """As imports and sealing use it, on a fresh database that is sealed since six hours ago."""
    database = Database(database_url, timeout_seconds=10, pool_size=2)
    await begin_sealing(database.bulk, now_hour() - 6 * HOUR)
    yield database.bulk
    await database.close()
