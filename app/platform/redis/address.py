"""Where Redis is: what ``CALLGATE_REDIS_URL`` says, and how a connection to a server is made.

``redis://``, ``rediss://`` (TLS) and ``unix://`` as redis-py reads them;
``redis+sentinel://[user:password@]host:26379,host:26379/service[/db][?…]`` asks the sentinels for the
master at every connection; ``redis+cluster://[user:password@]host:6379,host:6379[?…]`` learns the slots
from the first that answers. ``rediss+sentinel://`` and ``rediss+cluster://`` are the same over TLS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

Kind = Literal["single", "cluster", "sentinel"]
Host = tuple[str, int]
Connect = Callable[[], Awaitable[AbstractConnection]]


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL. ``hosts``: of the cluster or the sentinels; ``service``: the master's name there."""

    kind: Kind
    hosts: tuple[Host, ...]
    service: str
    options: dict[str, Any]


def parse(url: str) -> Address:
    """Reads a URL. Raises ValueError with one clear line when it cannot be one of the forms above."""
    split = urlsplit(url)
    scheme, _, kind = split.scheme.partition("+")
    if kind not in ("", "cluster", "sentinel") or (kind and scheme not in ("redis", "rediss")):
        raise ValueError(f"not redis, rediss, unix, redis+cluster or redis+sentinel: {split.scheme!r}")
    if not kind:
        options = dict(parse_url(url))
        return Address("single", (), "", options)
    credentials, _, listed = split.netloc.rpartition("@")
    hosts = tuple(_host(each, 26379 if kind == "sentinel" else 6379) for each in listed.split(","))
    service, path = "", ""
    if kind == "sentinel":
        service, _, database = split.path.strip("/").partition("/")
        if not service:
            raise ValueError("a redis+sentinel URL names the service: redis+sentinel://host:26379/service")
        path = f"/{database}" if database else ""
    first = f"[{hosts[0][0]}]" if ":" in hosts[0][0] else hosts[0][0]
    netloc = f"{credentials}@{first}" if credentials else first
    plain_url = urlunsplit(SplitResult(scheme, netloc, path, split.query, ""))
    options = dict(parse_url(plain_url))
    options.pop("host", None)
    return Address("cluster" if kind == "cluster" else "sentinel", hosts, service, options)


def _host(text: str, port: int) -> Host:
    split = urlsplit(f"//{text}")
    if not split.hostname:
        raise ValueError(f"a Redis URL lists host:port, not {text!r}")
    return split.hostname, split.port or port


def connector(address: Address, host: Host | None, connect_seconds: float) -> Connect:
    """How to connect to one server: the one at ``host``, or the one that the URL or the sentinels name.

    The connection is redis-py's: TLS, credentials and SELECT are its business. It has no read timeout of its
    own, as the deadline is the lane's.
    """
    options: dict[str, Any] = {
        **address.options,
        "protocol": 2,
        "driver_info": None,
        "socket_timeout": None,
        "socket_connect_timeout": connect_seconds,
        "retry": Retry(NoBackoff(), 0),
    }
    kind = options.pop("connection_class", Connection)
    asked = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    if kind is UnixDomainSocketConnection:
        options.pop("socket_connect_timeout")

    async def connect() -> AbstractConnection:
        target = host
        if address.kind == "sentinel":
            target = await _master(address, asked, connect_seconds, tls=kind is SSLConnection)
        where = {"host": target[0], "port": target[1]} if target is not None else {}
        connection: AbstractConnection = kind(**{**options, **where})
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    return connect


async def _master(address: Address, asked: dict[str, Any], connect_seconds: float, *, tls: bool) -> Host:
    """Asks the sentinels, with the credentials of ``?sentinel_username=&sentinel_password=`` where given."""
    timeouts = {"socket_timeout": connect_seconds, "socket_connect_timeout": connect_seconds}
    sentinel = Sentinel(list(address.hosts), sentinel_kwargs={**asked, **timeouts, "ssl": tls})  # type: ignore[no-untyped-call]
    try:
        host, port = await sentinel.discover_master(address.service)
        return str(host), int(port)
    finally:
        for client in sentinel.sentinels:
            await client.aclose()
