"""Where a webhook may lead: what its address must look like, and which addresses nobody outside may have us call.

A webhook's address comes from whoever has a key, and is called from inside the house. So only what everybody on the
Internet could reach may be reached, judged by the address that is connected to and not by the name; unless
CALLGATE_WEBHOOK_ALLOW names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

PORTS = frozenset({443, 8443})
LONGEST = 2048
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
# IPv6 that is handed out to be used on the Internet; what lies outside stands for something else: for IPv4
# (RFC 4291, and NAT64 by RFC 6052 and 8215), for a link, a site, a group.
_UNICAST = ip_network("2000::/3")
# And what lies within and stands for others all the same: Teredo and its neighbours (RFC 4380), 6to4 (RFC 3056) and its
# relays (RFC 7526), carriers' own (RFC 6598), protocols' own (RFC 6890). Some releases of Python take them for global.
_NEVER = tuple(
    ip_network(network)
    for network in ("2001::/23", "2002::/16", "3fff::/20", "192.88.99.0/24", "100.64.0.0/10", "192.0.0.0/24")
)


class Refused(Exception):
    """The webhook must not lead there; the message says why, for the person who set it."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A host that is allowed whatever its addresses are; any port unless one is given."""

    host: str
    port: int | None


class Allowed:
    """What CALLGATE_WEBHOOK_ALLOW names: hosts, hosts with a port, addresses and networks, with commas between."""

    def __init__(self, text: str = "") -> None:
        self._names: set[_Named] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in (part.strip() for part in text.split(",")):
            if entry:
                self._take(entry)

    def _take(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry.strip("[]") if "/" not in entry else entry))
            return
        except ValueError:
            pass
        host, separator, port = entry.rpartition(":")
        if not separator:
            host, port = entry, ""
        host = host.strip("[]").rstrip(".").lower()
        is_address = _literal(host) is not None
        if (not is_address and not _NAME.fullmatch(host)) or (
            separator and not re.fullmatch("[0-9]{1,5}", port)
        ):
            raise ValueError(f"{entry} is no host, host:port, address or network")
        self._names.add(_Named(host, int(port) if port else None))

    def names(self, host: str, port: int) -> bool:
        """Whether that host is named, or is an address that is."""
        host = host.rstrip(".").lower()
        if _Named(host, None) in self._names or _Named(host, port) in self._names:
            return True
        address = _literal(host)
        return address is not None and self.covers(address)

    def covers(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether the address lies in a network that is named."""
        return any(address in network for network in self._networks)


def checked_url(url: str, allowed: Allowed) -> SplitResult:
    """The parts of an address that a webhook may have, as far as that shows without asking for its name.

    Raises Refused.
    """
    if len(url) > LONGEST:
        raise Refused(f"must have at most {LONGEST} characters")
    if not _VISIBLE.fullmatch(url):
        raise Refused("must hold visible ASCII characters only; a name in another script is written as xn--…")
    try:
        parts = urlsplit(url)
        port = port_of(parts)
    except ValueError:
        raise Refused("must be an address as https://hooks.example.com/callgate") from None
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or "\\" in url:
        raise Refused("must be an address as https://hooks.example.com/callgate")
    if parts.username is not None or parts.password is not None:
        raise Refused("must not hold a user or a password")
    if parts.fragment or url.endswith("#"):
        raise Refused("must not hold a fragment")
    literal = _literal(host)
    if literal is None and (not _NAME.fullmatch(host) or _looks_like_number(host)):
        raise Refused("must name a host, or an address in its usual spelling")
    if allowed.names(host, port):
        return parts
    if parts.scheme != "https":
        raise Refused("must begin with https://")
    if port not in PORTS:
        raise Refused("must be on port 443 or 8443")
    if literal is not None:
        refuse_unless_public(literal, allowed)
    elif host.rstrip(".").lower().rpartition(".")[2] == "localhost":
        raise Refused("must not lead to loopback")
    return parts


def port_of(parts: SplitResult) -> int:
    """The port, the scheme's where none is given. Raises ValueError for one that cannot be."""
    if parts.port == 0:
        raise ValueError
    return parts.port or (443 if parts.scheme == "https" else 80)


def refuse_unless_public(address: IPv4Address | IPv6Address, allowed: Allowed) -> None:
    """Raise Refused for an address that must not be connected to."""
    if allowed.covers(address):
        return
    if (
        (isinstance(address, IPv6Address) and (address.scope_id is not None or address not in _UNICAST))
        or not address.is_global
        or address.is_multicast
        or address.is_reserved
        or any(address in network for network in _NEVER)
    ):
        raise Refused(f"must not lead to {kind_of(address)}")


def kind_of(address: IPv4Address | IPv6Address) -> str:
    """What kind of address it is, for people; the address itself is told to nobody."""
    for kind in ("loopback", "link_local", "multicast"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-") if kind == "loopback" else f"a {kind.replace('_', '-')} address"
    return "a private or reserved address"


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _looks_like_number(host: str) -> bool:
    """127.1, 0x7f.1 and 2130706433, which resolvers read as addresses: a last label of digits is no name's."""
    last = host.rstrip(".").rpartition(".")[2]
    return re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", last) is not None
