"""Places for what takes long, of which one account may have no more than its share.

They are counted in each process, as what they stand for is: connections to Postgres that are held for minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.platform.outcomes import CannotDecide, Crowded

RETRY_SECONDS = 30


class Place:
    """A place that is taken. Leaving it twice is leaving it once; one that nobody holds any more is left."""

    def __init__(self, places: Places, account_id: UUID) -> None:
        self._places: Places | None = places
        self._account_id = account_id

    def leave(self) -> None:
        """Give the place back."""
        places, self._places = self._places, None
        if places is not None:
            places.taken[self._account_id] -= 1
            places.taken += Counter()  # what nobody has is not kept

    @contextmanager
    def until_failure(self) -> Iterator[None]:
        """The place is left when the block fails, and kept when it does not."""
        try:
            yield
        except BaseException:
            self.leave()
            raise

    def __del__(self) -> None:
        self.leave()


class Places:
    """So many places for ``what``, at most ``share`` of them for one account."""

    def __init__(self, what: str, total: int, share: int) -> None:
        self.what, self.total, self.share = what, total, share
        self.taken: Counter[UUID] = Counter()

    def take(self, account_id: UUID) -> Place:
        """A place. Raises Crowded when the account has its share, CannotDecide when all are taken."""
        if self.taken[account_id] >= self.share:
            raise Crowded(
                f"The account has {self.share} {self.what} under way, as many as it may.", RETRY_SECONDS
            )
        if self.taken.total() >= self.total:
            raise CannotDecide(
                f"as many {self.what} are under way as this process can carry", RETRY_SECONDS, cause="busy"
            )
        self.taken[account_id] += 1
        return Place(self, account_id)
