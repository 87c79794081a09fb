"""The bytes of a list as they arrive: counted, and unpacked when they are gzip. Memory stays bounded."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

_GZIP_MAGIC = b"\x1f\x8b"
_STEP_IN = 64 * 1024
_STEP_OUT = 1024 * 1024


class UnusableList(Exception):
    """The list as a whole cannot be used and changes nothing. The text says why, to whoever sent it."""


class BrokenStream(Exception):
    """The list stopped coming in before its end; whoever sent it is gone."""


class CountedBytes:
    """An iterator over the same chunks that knows how many bytes went by (as sent, before unpacking)."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.bytes_read = 0

    def __aiter__(self) -> CountedBytes:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self.bytes_read += len(chunk)
        return chunk


async def unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, without the gzip around them if the first two bytes say gzip.

    Several gzip members one after another are one stream, as RFC 1952 has it. At most about 1 MB is unpacked
    at a time whatever the ratio, so a small file that swells cannot fill memory.

    :raises UnusableList: the gzip data is damaged, ends early or has something else behind it.
    """
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= 2:
            break
    if not head.startswith(_GZIP_MAGIC):
        if head:
            yield head
        async for chunk in chunks:
            if chunk:
                yield chunk
        return
    gunzip = zlib.decompressobj(wbits=31)
    pending: bytes | None = head
    while pending is not None:
        for start in range(0, len(pending), _STEP_IN):
            packed = pending[start : start + _STEP_IN]
            while packed:
                if gunzip.eof:
                    packed = packed.lstrip(b"\0")  # padding behind the last member is allowed
                    if not packed:
                        break
                    gunzip = zlib.decompressobj(wbits=31)
                try:
                    # In a thread, since zlib lets go of the interpreter and decisions must not wait for it.
                    plain = await asyncio.to_thread(gunzip.decompress, packed, _STEP_OUT)
                except zlib.error as error:
                    raise UnusableList(f"the gzip data is damaged: {error}") from error
                if plain:
                    yield plain
                packed = gunzip.unused_data if gunzip.eof else gunzip.unconsumed_tail
        pending = await anext(chunks, None)
    if not gunzip.eof:
        raise UnusableList("the gzip data ends early; the file was cut off")


async def first_bytes(chunks: AsyncIterator[bytes], count: int) -> tuple[bytes, bool]:
    """The first bytes of a list, without the gzip around them, at most so many; and whether they are all of it.

    What is left of the chunks is not read. A gzip that is cut off is read as far as it goes.
    """
    head, whole = bytearray(), True
    try:
        async for chunk in unpacked(chunks):
            head += chunk
            if len(head) > count:
                return bytes(head[:count]), False
    except UnusableList:
        if not head:
            raise
        whole = False
    return bytes(head), whole
