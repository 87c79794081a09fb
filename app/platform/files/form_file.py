"""The one file of a browser's form (``multipart/form-data``, RFC 7578), as it streams in. Memory stays bounded.

The form must hold one file, and before it only those fields that its taker knows: what else it held, or came too late
to be read, would have to be thrown away without a word.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.platform.files.byte_stream import UnusableList

_HEAD_BYTES = 16 * 1024


class FormFile(NamedTuple):
    """A file that is coming in: what it is called, what the sender takes it for, its bytes, what stood before it."""

    name: str
    media_type: str
    chunks: AsyncIterator[bytes]
    fields: Mapping[str, str]


class _Parts:
    """What the parser finds, a piece at a time."""

    def __init__(self, boundary: bytes, known: frozenset[str]) -> None:
        self.file: tuple[str, str] | None = None  # name and media type
        self.fields: dict[str, bytes] = {}
        self.fault: UnusableList | None = None
        self.ended = False
        self.pieces: list[bytes] = []
        self._known, self._field = known, ""
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._name_piece,
                "on_header_value": self._value_piece,
                "on_header_end": self._header_ended,
                "on_headers_finished": self._begun,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes a chunk of the form; answers what of the file was in it, up to a ``fault``."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            self.fault = UnusableList(f"the form is not well made: {error}")
        except UnusableList as unusable:
            self.fault = unusable
        pieces, self.pieces = self.pieces, []
        return pieces

    def _name_piece(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value_piece(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ended(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.file is not None:
            self.pieces.append(data[start:end])
        else:
            self.fields[self._field] += data[start:end]

    def _begun(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition"))
        if b"filename" not in told:
            self._begin_field(told.get(b"name", b"").decode("utf-8", "replace")[:64])
            return
        if self.file is not None:
            raise UnusableList("the form holds more than one file")
        kind = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        self.file = told[b"filename"].decode("utf-8", "replace"), kind.decode("latin-1")

    def _begin_field(self, name: str) -> None:
        if name not in self._known:
            beside = (
                "beside the file; it must hold one file alone" if not self._known else "that nobody knows"
            )
            raise UnusableList(f"the form holds the field {name!r} {beside}")
        if self.file is not None or name in self.fields:
            raise UnusableList(f"the form holds the field {name!r} twice, or behind the file")
        self._field = name
        self.fields[name] = b""

    def _end(self) -> None:
        self.ended = True


async def form_file(
    chunks: AsyncIterator[bytes], content_type: str, known: frozenset[str] = frozenset()
) -> FormFile:
    """The file of a form of this Content-Type, once its head has come in. ``known``: the fields that may precede it.

    Raises UnusableList, and later so do its chunks, when the form is not well made, ends early, or holds more.
    """
    _, told = parse_options_header(content_type.encode("latin-1"))
    boundary = told.get(b"boundary", b"")
    if not boundary:
        raise UnusableList("the form does not say its boundary")
    try:
        parts = _Parts(boundary, known)
    except FormParserError as error:
        raise UnusableList(f"the form's boundary cannot be used: {error}") from error
    first: list[bytes] = []
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        first += parts.feed(chunk)
        if parts.file is not None:
            break
        if parts.fault is not None:
            raise parts.fault
        if seen > _HEAD_BYTES:
            raise UnusableList("the form does not begin with a file")
    if parts.file is None:
        raise UnusableList("the form holds no file")
    fields = {name: value.decode("utf-8", "replace") for name, value in parts.fields.items()}
    return FormFile(*parts.file, _rest(parts, first, chunks), fields)


async def _rest(parts: _Parts, first: list[bytes], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    pieces = first
    while True:
        for piece in pieces:
            yield piece
        if parts.fault is not None:
            raise parts.fault
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        pieces = parts.feed(chunk)
    if not parts.ended:
        raise UnusableList("the form ends early; the file was cut off")
