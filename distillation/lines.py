"""Lines of a stream of bytes, one at a time, however long the stream or a line is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

RAW_BYTES_KEPT = 4096
"""Bytes that are kept of a line that cannot be taken."""

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\v\f"


class RawLine(NamedTuple):
    """One line as it stands in the stream, without its line end.

    Attributes
    ----------
    number
        From 1.
    data
        The line; of one that is too long its first `RAW_BYTES_KEPT` bytes.
    size_bytes
        Of the whole line.
    end_offset
        Bytes of the stream up to the end of the line, line end included.
    has_end
        Whether a line feed follows. Only the last line may have none.
    is_too_long
        It has more bytes than the limit, and is not blank.
    sha256
        Of the whole line, if it is too long; else empty: it can be computed from `data`.
    looks_closed
        Of a line that is too long: its last byte but blanks is ``}``, so it is not a line that is being written.
    """

    number: int
    data: bytes
    size_bytes: int
    end_offset: int
    has_end: bool
    is_too_long: bool = False
    sha256: str = ""
    looks_closed: bool = False

    @property
    def head(self) -> bytes:
        """The first bytes, as many as are kept."""
        return self.data[:RAW_BYTES_KEPT]

    @property
    def checksum(self) -> str:
        """SHA-256 of the whole line."""
        return self.sha256 or hashlib.sha256(self.data).hexdigest()


def read_lines(
    pieces: Iterable[bytes], max_line_bytes: int, *, first_number: int = 1, offset: int = 0
) -> Iterator[RawLine]:
    """Yield the lines of a stream.

    Parameters
    ----------
    pieces
        The bytes of the stream in order, cut anywhere.
    max_line_bytes
        Bytes a line may have, without its line end; at least 1.
    first_number, offset
        Number of the first line, and bytes of the stream before the first piece, when it does not begin at its start.

    Notes
    -----
    A byte order mark at the start of the stream is dropped, and one carriage return before each line feed. Memory: one
    piece and one line of `max_line_bytes`; of a longer line only its beginning and a running SHA-256 are kept.
    """
    collector = _Collector(max_line_bytes, first_number, offset)
    for piece in pieces if offset else _without_bom(pieces, collector):
        *ends, rest = piece.split(b"\n")
        for part in ends:
            yield collector.finish(part)
        collector.extend(rest)
    if not collector.is_empty:
        yield collector.last()


def _without_bom(pieces: Iterable[bytes], collector: _Collector) -> Iterator[bytes]:
    rest = iter(pieces)
    start = b""
    for piece in rest:
        start += piece
        if len(start) >= len(_BOM):
            break
    if start.startswith(_BOM):
        start = start[len(_BOM) :]
        collector.offset += len(_BOM)
    yield start
    yield from rest


class _Collector:
    """What is known of the line that has begun and not ended."""

    def __init__(self, max_line_bytes: int, number: int, offset: int) -> None:
        self.limit = max_line_bytes
        self.number = number
        self.offset = offset
        self._parts: list[bytes] = []
        self._size = 0
        self._long: _LongLine | None = None

    @property
    def is_empty(self) -> bool:
        return not self._size

    def extend(self, part: bytes) -> None:
        """Take a part of the line that does not end it."""
        if not part:
            return
        self._size += len(part)
        if self._long is not None:
            self._long.extend(part)
            return
        self._parts.append(part)
        if self._size > self.limit + 1:  # one byte may be a carriage return that does not count
            self._long = _LongLine()
            for earlier in self._parts:
                self._long.extend(earlier)
            self._parts = []

    def finish(self, part: bytes) -> RawLine:
        """Return the line that `part` and a line feed end, and begin the next."""
        if self._size or len(part) > self.limit:
            self.extend(part)
            return self._close(has_end=True)
        self.offset += len(part) + 1
        number = self.number
        self.number = number + 1
        if part[-1:] == b"\r":
            part = part[:-1]
        return RawLine(number, part, len(part), self.offset, True)

    def last(self) -> RawLine:
        """Return the line that the stream ends in."""
        return self._close(has_end=False)

    def _close(self, has_end: bool) -> RawLine:
        self.offset += self._size + has_end
        line = self._line(b"".join(self._parts), has_end)
        self.number += 1
        self._parts, self._long, self._size = [], None, 0
        return line

    def _line(self, data: bytes, has_end: bool) -> RawLine:
        if self._long is None:
            body = data[:-1] if has_end and data.endswith(b"\r") else data
            if len(body) <= self.limit:
                return RawLine(self.number, body, len(body), self.offset, has_end)
            self._long = _LongLine()
            self._long.extend(data)
        return self._long.line(self.number, self.offset, has_end)


class _LongLine:
    """A line over the limit, of which only the beginning and the checksum are kept."""

    def __init__(self) -> None:
        self._head = b""
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._held = b""  # a carriage return at the end so far: it counts unless the line ends here
        self._last = b""

    def extend(self, part: bytes) -> None:
        self._take(self._held)
        self._held = part[-1:] if part.endswith(b"\r") else b""
        self._take(part[: len(part) - len(self._held)])

    def _take(self, part: bytes) -> None:
        if not part:
            return
        if len(self._head) < RAW_BYTES_KEPT:
            self._head += part[: RAW_BYTES_KEPT - len(self._head)]
        self._sha256.update(part)
        self._size += len(part)
        self._last = part.rstrip(_BLANKS)[-1:] or self._last

    def line(self, number: int, offset: int, has_end: bool) -> RawLine:
        if not has_end:
            self._take(self._held)
        if not self._last:  # nothing but blanks: no line is too long to be blank
            return RawLine(number, b"", self._size, offset, has_end)
        looks_closed = self._last == b"}"
        return RawLine(number, self._head, self._size, offset, has_end, True, self._sha256.hexdigest(), looks_closed)
