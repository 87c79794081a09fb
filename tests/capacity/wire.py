"""A wire between the semaphore and its server that can be cut at the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path


class Wire:
    """Forwards a Unix socket to another. ``lose_next_answer`` cuts when the server has just answered."""

    def __init__(self, server_socket: str) -> None:
        self._server_socket = server_socket
        self._folder = tempfile.TemporaryDirectory(prefix="cgw")
        self.url = f"unix://{self._folder.name}/w"
        self.lose_next_answer = False
        self._clear = asyncio.Event()
        self._clear.set()
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begins to listen."""
        self._listener = await asyncio.start_unix_server(self._serve, str(Path(self._folder.name) / "w"))

    def silence(self) -> None:
        """Whatever is connected now is never served again; new connections are."""
        self._clear.clear()
        self._clear = asyncio.Event()
        self._clear.set()

    async def close(self) -> None:
        """Stops, and drops every connection."""
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._server_socket)
        pumps = {
            asyncio.create_task(self._pump(reader, server_writer, answers=False)),
            asyncio.create_task(self._pump(server_reader, writer, answers=True)),
        }
        self._tasks |= pumps
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self._tasks -= pumps
        for each in (writer, server_writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        clear = self._clear
        while data := await reader.read(65536):
            await clear.wait()
            if answers and self.lose_next_answer:
                self.lose_next_answer = False
                return
            writer.write(data)
            await writer.drain()
