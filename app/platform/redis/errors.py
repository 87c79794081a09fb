"""What Redis is when it cannot be asked."""

from __future__ import annotations


class RedisUnavailable(Exception):
    """Redis did not answer in time, cannot be reached, or cannot serve. Nothing is known to be decided.

    ``maybe_done``: the command had been sent, so it may have been carried out.
    """

    def __init__(self, reason: str, *, maybe_done: bool = False) -> None:
        super().__init__(reason)
        self.maybe_done = maybe_done
