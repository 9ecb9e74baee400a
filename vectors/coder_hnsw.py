"""Ids and vectors out of a graph that the Go library coder/hnsw exported (encoding version 1).

Such a file has no checksum and comes from elsewhere, so no length in it is believed before it is compared with the
bytes that are left, and nothing is allocated that the file could not fill. The neighbour lists are only passed over:
a graph is built anew from the vectors. The encoding: https://github.com/coder/hnsw/blob/main/encode.go
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lakehouse_site.errors import DamagedFile

ENCODING_VERSION = 1
CHUNK_BYTES = 256 * 1024
MAX_VARINT_BYTES = 10


def read_items(file: BinaryIO, start: int, end: int, dimension: int) -> Iterator[tuple[str, bytes]]:
    """Yield id and vector of each item: those of layer 0, which holds them all.

    Parameters
    ----------
    file
        Readable and seekable. Its position may be changed between two items.
    start, end
        The first byte of the graph and the byte after its last.
    dimension
        How many numbers each vector has to have.

    Yields
    ------
    tuple
        The id, and the vector as `dimension` little-endian float32.

    Raises
    ------
    DamagedFile
        The bytes are not such a graph; the message names the position. Only who has read to the end knows that all
        of it is sound.

    Notes
    -----
    Memory: the longest id or vector, and `CHUNK_BYTES`.
    """
    cursor = _Cursor(file, start, end)
    version = cursor.varint()
    if version != ENCODING_VERSION:
        raise DamagedFile(f"Byte {start}: a graph of encoding version {ENCODING_VERSION} begins here, not {version}.")
    cursor.varint()  # M
    cursor.take(8, "Ml")
    cursor.varint()  # EfSearch
    cursor.text("the name of the distance")
    for layer in range(cursor.count("layers")):
        for _ in range(cursor.count("nodes")):
            key = cursor.text("an id")
            vector = cursor.vector(dimension, key)
            for _ in range(cursor.count("neighbours")):
                cursor.take(cursor.count("bytes of a neighbour's id"), "a neighbour's id")
            if layer == 0:
                yield key, vector
    if cursor.left:
        raise DamagedFile(f"Byte {cursor.position}: the graph ends here, {cursor.left} more bytes follow.")


class _Cursor:
    """A position in the graph, and the bytes that follow it."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._end = end
        self._data = b""
        self._at = 0
        self._data_end = start

    @property
    def position(self) -> int:
        return self._data_end - len(self._data) + self._at

    @property
    def left(self) -> int:
        return self._end - self.position

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes."""
        stop = self._at + count
        if stop > len(self._data):
            if count > self.left:
                raise DamagedFile(f"Byte {self.position}: {count} bytes of {what} should follow, {self.left} are left.")
            self._fill(count)
            stop = count
        taken = self._data[self._at : stop]
        self._at = stop
        return taken

    def varint(self) -> int:
        """Return the next zig-zag signed LEB128."""
        start = self.position
        number = shift = 0
        while True:
            (byte,) = self.take(1, "a number")
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift == 7 * MAX_VARINT_BYTES:
                raise DamagedFile(f"Byte {start}: a number has at most {MAX_VARINT_BYTES} bytes.")
        if number >= 2**64:
            raise DamagedFile(f"Byte {start}: a number is beyond 64 bits.")
        return (number >> 1) ^ -(number & 1)

    def count(self, what: str) -> int:
        """Return a number of things that follow, each at least one byte long."""
        start = self.position
        number = self.varint()
        if not 0 <= number <= self.left:
            raise DamagedFile(f"Byte {start}: {number} {what} cannot follow, {self.left} bytes are left.")
        return number

    def text(self, what: str) -> str:
        """Return a string."""
        start = self.position
        data = self.take(self.count(f"bytes of {what}"), what)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise DamagedFile(f"Byte {start}: {what} is not UTF-8.") from error

    def vector(self, dimension: int, key: str) -> bytes:
        """Return the bytes of a vector."""
        start = self.position
        number = self.varint()
        if number != dimension:
            raise DamagedFile(f"Byte {start}: the vector of {key!r} has {number} numbers, expected {dimension}.")
        return self.take(4 * dimension, "a vector")

    def _fill(self, count: int) -> None:
        rest = self._data[self._at :]
        self._file.seek(self._data_end)
        wanted = min(max(count - len(rest), CHUNK_BYTES), self._end - self._data_end)
        data = self._file.read(wanted)
        if len(data) < count - len(rest):
            raise DamagedFile(f"Byte {self._data_end + len(data)}: the file ends here, within the graph.")
        self._data = rest + data
        self._data_end += len(data)
        self._at = 0
