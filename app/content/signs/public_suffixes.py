"""Which part of a host somebody owns.

The packaged snapshot of the Public Suffix List says it; nothing is fetched and nothing is cached on disk.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract


def registrable_domain(domain: str) -> str | None:
    """The domain that one party alone holds, of a host in ASCII; None for a public suffix or no domain at all.

    A host under which anybody can have pages, as github.io, is a suffix too: the list's private section names it.
    """
    found = _extract().extract_str(domain, include_psl_private_domains=True)
    return found.top_domain_under_public_suffix or None


@lru_cache(maxsize=1)
def _extract() -> TLDExtract:
    """The public suffixes. The package brings an HTTP client with it, which who asks about a call need not import."""
    import tldextract

    # The reserved ends of RFC 2606 count as suffixes, so that samples behave as the real thing.
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), extra_suffixes=("example", "test"))


@lru_cache(maxsize=4096)
def registrable(host: str) -> str:
    """What a host of a text is told by: its domain, that of a free host with whoever has pages there; or nothing."""
    found = _extract().extract_str(host)
    return f"{found.domain}.{found.suffix}" if found.domain and found.suffix else ""
