"""Connections to receivers: the name is resolved here, every address of it judged, and one of those connected to.

So nothing lies between the look at the address and its use, and a name that answers otherwise the next time is judged
the next time. The certificate is checked against the name, as ever.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import httpcore

from app.webhooks.destinations import Allowed, refuse_unless_public

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
# Threads of their own: a name server that is slow must not keep waiting what else runs in threads.
_RESOLVING = ThreadPoolExecutor(4, thread_name_prefix="resolve")


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, as the system knows them. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(
        _RESOLVING, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """What httpcore opens its connections with."""

    def __init__(self, allowed: Allowed, resolver: Resolver = resolve) -> None:
        self._allowed, self._resolve = allowed, resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses. Raises Refused if one of them must not be connected to."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError("the name is not known") from error
        if not addresses:
            raise httpcore.ConnectError("the name has no address")
        if not self._allowed.names(host, port):
            for address in addresses:
                refuse_unless_public(ip_address(address), self._allowed)
        fault: Exception | None = None
        for address in addresses[:3]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        assert fault is not None
        raise fault

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between tries."""
        await asyncio.sleep(seconds)
