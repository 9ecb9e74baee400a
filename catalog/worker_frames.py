"""How this process and a worker talk through a pipe: one byte that says what comes, four that say how long it is.

A worker may have been taken over by what it was given to work on, so whoever reads from one says how much is taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO, Any, Final

MESSAGE: Final = b"M"
"""JSON: an object with one word of `kind`."""
DATA: Final = b"D"
"""Bytes of a result, or of what a worker needs."""
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_HEADER_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """What came: `message` of a MESSAGE, `data` of a DATA frame."""

    message: dict[str, Any] | None
    data: bytes


def write_message(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send an object as JSON."""
    _write(stream, MESSAGE, json.dumps(message).encode())


def write_data(stream: IO[bytes], data: bytes) -> None:
    """Send bytes."""
    _write(stream, DATA, data)


def read_frame(stream: IO[bytes], *, most_bytes: int = MAX_MESSAGE_BYTES) -> Frame | None:
    """Return what comes next; None when the other side has gone, also in the middle of a frame.

    Parameters
    ----------
    stream
        Blocks until there is something.
    most_bytes
        A frame over this is a fault of the other side.

    Raises
    ------
    ValueError
        What came is no frame, too long, or not JSON.
    """
    header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return None
    kind, length = header[:1], int.from_bytes(header[1:], "big")
    if kind not in (MESSAGE, DATA) or length > most_bytes:
        raise ValueError("not a frame of a worker")
    body = stream.read(length)
    if len(body) < length:
        return None
    if kind == DATA:
        return Frame(None, body)
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a message of a worker")
    return Frame(message, b"")


def _write(stream: IO[bytes], kind: bytes, body: bytes) -> None:
    stream.write(kind + len(body).to_bytes(4, "big"))
    stream.write(body)
    stream.flush()
