"""The embedded Valkey (or Redis): append-only file, a Unix socket, nothing on the network."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from app.platform.embedded.binaries import Account, RedisProgram
from app.platform.embedded.servers import EmbeddedServer, short_path

_OPTIONS = {
    "port": "0",
    "unixsocket": "valkey.sock",
    "unixsocketperm": "700",
    "dir": ".",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",  # a lease that is evicted is a channel given away twice
    "databases": "64",
    "daemonize": "no",
}


class EmbeddedValkey(EmbeddedServer):
    """Valkey whose leases survive `kill -9` but for the last second, which the append-only file may miss."""

    name = "Valkey"
    socket_name = "valkey.sock"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGTERM

    def __init__(self, directory: Path, account: Account | None, program: RedisProgram) -> None:
        super().__init__(directory, account)
        self.program = program

    def command(self) -> list[str]:
        settings = [part for name, value in _OPTIONS.items() for part in (f"--{name}", value)]
        return [str(self.program.file), *settings]

    def clear_the_way(self) -> None:
        """Removes a predecessor's socket; the kernel told the predecessor to end."""
        self.socket_file.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Whether PING is answered by PONG, which it is not while the append-only file is being read."""
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def _ask(self, request: bytes) -> bytes:
        with short_path(self.socket_file) as path, socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(path)
                client.sendall(request)
                return client.recv(64)
            except OSError:
                return b""
