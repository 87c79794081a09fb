"""The clusters that the semaphore's own tests start, for the whole service."""

from tests.capacity.test_cluster import cluster, watched

__all__ = ["cluster", "watched"]
