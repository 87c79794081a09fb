"""The names of the keys. All keys of an account share one hash tag, so they stand in one slot of a Cluster.

The leases' sets carry the epoch in their names: after Redis lost its memory a new epoch begins, and whatever
an old copy still holds under old names is never read again and ends by its TTL.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from urllib.parse import quote

# What ``quote`` leaves as it is. An id is, and is met once: it would only push the names out of what is remembered.
_PLAIN = re.compile(r"[A-Za-z0-9:+._~-]*", re.ASCII)


def plain(name: str) -> str:
    """The name without spaces, braces and line ends: the scripts part names by spaces."""
    return name if _PLAIN.fullmatch(name) else _quoted(name)


@lru_cache(maxsize=65536)
def _quoted(name: str) -> str:
    return quote(name, safe=":+-_.")


class Keys:
    """Names keys. ``secret`` keys the HMAC under which a destination is remembered; no number is in a key."""

    def __init__(self, prefix: str, secret: bytes) -> None:
        self._prefix = prefix
        self._secret = secret
        self.of_account = lru_cache(maxsize=16384)(self._of_account)

    def _of_account(self, account_id: str) -> str:
        return f"{self._prefix}:{{{plain(account_id)}}}:"

    def account(self, account_id: str) -> str:
        """HASH: epoch, fence, high water and whether the epoch is ready."""
        return self.of_account(account_id) + "account"

    def probe(self, number: int) -> str:
        """String: nobody's; of each number the hash tag is another, so that each server of a cluster has some."""
        return f"{self.of_account(f'probe-{number}')}probe"

    def record(self, account_id: str, lease_id: str) -> str:
        """String: what the lease holds, or its tombstone."""
        return f"{self.of_account(account_id)}lease:{plain(lease_id)}"

    def leases(self, account_id: str, epoch: int) -> str:
        """ZSET: every lease of the account by its end, kept until an end by expiry has been read."""
        return f"{self.of_account(account_id)}e{epoch}:leases"

    def scope(self, account_id: str, epoch: int, name: str) -> str:
        """ZSET: the leases that a scope holds, by their end. ``name`` is plain already."""
        return f"{self.of_account(account_id)}e{epoch}:scope:{name}"

    def flow(self, account_id: str, name: str) -> str:
        """HASH: how long a scope's calls last, and since when it is full. ``name`` is plain already."""
        return f"{self.of_account(account_id)}flow:{name}"

    def line(self, account_id: str, name: str, reserve: int) -> list[str]:
        """ZSETs: who waits for a scope's channels, and until when each was told to, by what is reserved from them."""
        base = self.of_account(account_id)
        return [f"{base}line:{name}:{reserve}", f"{base}due:{name}:{reserve}"]

    def ticket(self, destination: str) -> str:
        """Under which a destination waits: 64 bits of HMAC-SHA256 of the number."""
        return hmac.digest(self._secret, b"ticket:" + destination.encode(), "sha256")[:8].hex()

    def pace(self, account_id: str, name: str) -> str:
        """String: the theoretical arrival time of a GCRA."""
        return f"{self.of_account(account_id)}pace:{plain(name)}"

    def quota(self, account_id: str, name: str) -> str:
        """HASH: a sliding window of admissions."""
        return f"{self.of_account(account_id)}quota:{plain(name)}"

    def rate(self, account_id: str, key_id: str, api_class: str) -> str:
        """HASH: a sliding window of a key's requests in an API class."""
        return f"{self.of_account(account_id)}rate:{plain(key_id)}:{plain(api_class)}"

    def attempts(self, account_id: str, destination: str) -> list[str]:
        """ZSETs: attempts to a destination by call and by sms. 128 bits of HMAC-SHA256 of the number."""
        digest = hmac.digest(self._secret, destination.encode(), "sha256")[:16].hex()
        base = self.of_account(account_id)
        return [f"{base}tries:call:{digest}", f"{base}tries:sms:{digest}"]

    def subjects(self, account_id: str, destination: str) -> str:
        """HASH: what the attempts to a destination were about, by intent; those about nothing named are not in it."""
        digest = hmac.digest(self._secret, destination.encode(), "sha256")[:16].hex()
        return f"{self.of_account(account_id)}tries:about:{digest}"

    def subject(self, name: str | None) -> str:
        """A subject as it stands in Redis: 64 bits of HMAC-SHA256; ``-`` for none."""
        return "-" if name is None else hmac.digest(self._secret, name.encode(), "sha256")[:8].hex()

    def texts(self, account_id: str) -> str:
        """ZSET: the account's texts, by digest, by when each was last said."""
        return self.of_account(account_id) + "texts"

    def spread(self, account_id: str, digest: str, quarter: int) -> list[str]:
        """ZSET of a text's senders, and the HyperLogLogs of its numbers of this quarter and the next four."""
        base = self.of_account(account_id)
        numbers = [f"{base}numbers:{digest}:{quarter + ahead}" for ahead in range(5)]
        return [self.senders(account_id, digest), *numbers]

    def senders(self, account_id: str, digest: str) -> str:
        """ZSET: the senders of a text by when each last said it."""
        return f"{self.of_account(account_id)}senders:{digest}"
