"""Compressed files as a stream of plain bytes, in pieces of bounded size whatever the files say of themselves."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import zstandard

READ_BYTES = 256 * 1024
_PLAIN_BYTES = 1024 * 1024
# A block of zstd has 128 KiB at most and 4 bytes at least, so this much input cannot become more than 64 MiB.
_ZSTD_INPUT_BYTES = 2 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Readable(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int, /) -> bytes: ...


class DamagedStream(Exception):
    """A compressed stream breaks off, or is not what its name says."""


def plain_pieces(name: str, stream: Readable) -> Iterator[bytes]:
    """Yield the plain bytes of a file.

    Parameters
    ----------
    name
        ``.gz`` and ``.zst`` at its end are believed; anything else is read as it is.
    stream
        The file as it is stored. Several gzip members or zstd frames one after the other are one stream.

    Raises
    ------
    DamagedStream
        The compressed stream is damaged or not complete. What came before the damage has been yielded.
    """
    if name.endswith(".gz"):
        return _unpacked(stream, "gzip", _gunzip)
    if name.endswith(".zst"):
        return _unpacked(stream, "zstd", _unzstd)
    return pieces(stream)


class HashedStream:
    """A stream that makes the SHA-256 of what is read of it, and perhaps ends before the stream does.

    Attributes
    ----------
    digest, size_bytes
        Of what was read so far.
    """

    def __init__(self, stream: Readable, most_bytes: int | None = None) -> None:
        self._stream, self._most = stream, most_bytes
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size if self._most is None else min(size, self._most - self.size_bytes))
        self.size_bytes += len(data)
        self.digest.update(data)
        return data

    def checksum(self) -> str:
        """Read to the end and return the SHA-256 in hexadecimal."""
        for _ in pieces(self):
            pass
        return self.digest.hexdigest()


def is_compressed(name: str) -> bool:
    """Say whether `plain_pieces` unpacks a file of this name."""
    return name.endswith((".gz", ".zst"))


def pieces(stream: Readable) -> Iterator[bytes]:
    """Yield the bytes of a stream as they are."""
    while piece := stream.read(READ_BYTES):
        yield piece


def _unpacked(stream: Readable, kind: str, unpack: Callable[[Readable], Iterator[bytes]]) -> Iterator[bytes]:
    try:
        yield from unpack(stream)
    except (zlib.error, zstandard.ZstdError) as error:
        raise DamagedStream(f"The {kind} stream is damaged: {error}.") from error
    except EOFError as error:
        raise DamagedStream(f"The {kind} stream breaks off before its end.") from error


def _gunzip(stream: Readable) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    has_begun = False
    for piece in pieces(stream):
        while piece:
            if not has_begun:
                piece = piece.lstrip(b"\0")  # padding between members and at the end
                has_begun = bool(piece)
                if not has_begun:
                    break
            plain = member.decompress(piece, _PLAIN_BYTES)
            if plain:
                yield plain
            piece = member.unconsumed_tail
            if member.eof:
                piece, member, has_begun = member.unused_data, zlib.decompressobj(_GZIP), False
            elif not piece and len(plain) == _PLAIN_BYTES:
                yield from _held_back(member)
    if has_begun:
        raise EOFError


def _held_back(member: zlib._Decompress) -> Iterator[bytes]:
    """Yield what a member has read and not given yet."""
    while plain := member.decompress(b"", _PLAIN_BYTES):
        yield plain


def _unzstd(stream: Readable) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor()
    frame = unpacker.decompressobj()
    has_begun = False
    for piece in pieces(stream):
        start = 0
        while start < len(piece):
            part = piece[start : start + _ZSTD_INPUT_BYTES]
            start += len(part)
            has_begun = True
            if plain := frame.decompress(part):
                yield plain
            if frame.eof:
                start -= len(frame.unused_data)
                frame, has_begun = unpacker.decompressobj(), False
    if has_begun:
        raise EOFError
