"""The socket on which the service listens."""

from __future__ import annotations

import socket

BACKLOG = 2048
UNSENT_BYTES = 128 * 1024


def listen(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Binds the address, which may be IPv6; port 0 takes any free one. Raises OSError when it is taken.

    With `reuse_port` other processes of the same user may listen there as well, if they say so too, and the
    kernel deals the connections out among them: how several containers in one network share a port.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # What is not on its way yet waits in our own buffers, where it is seen how fast somebody reads; the
            # connections inherit it.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    listener.set_inheritable(False)
    return listener
