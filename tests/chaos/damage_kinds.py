"""Every way to damage an LHV1 file that differs in where it is noticed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

SPAN = 16
START = 4096
TRAILER_BYTES = 32
UNREAD_AT_LOAD = frozenset({"vectors", "labels", "ids", "metadata"})
"""A load reads the graph only: rows are the truth, and a restore verifies the rest."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What became of a file (None: it is gone), and whether whoever loads its graph has to notice."""

    what: str
    data: bytes | None
    is_seen_at_load: bool = True


def places(data: bytes) -> dict[str, tuple[int, int]]:
    """Return offset of a byte, and of the end of its part, for each class of offset."""
    (length,) = struct.unpack(">I", data[4:8])
    sections = orjson.loads(data[8 : 8 + length])["sections"]
    end = len(data)
    found = {
        "magic": (0, 4),
        "length": (7, 8),
        "envelope": (60, START),
        "padding": (START - SPAN, START),
        "trailer first": (end - TRAILER_BYTES, end),
        "trailer last": (end - 1, end),
    }
    for name, place in sections.items():
        first, stop = place["offset"], place["offset"] + place["length"]
        if place["length"]:
            found |= {f"{name} first": (first, stop), f"{name} middle": ((first + stop) // 2, stop)}
            found |= {f"{name} last": (stop - 1, stop)}
    return found


def damages(data: bytes, other: bytes, older: bytes) -> Iterator[Damage]:
    """Yield all damages of a file; `other` is one of another index, `older` an earlier one of the same."""
    for place, (offset, stop) in places(data).items():
        seen = place.split()[0] not in UNREAD_AT_LOAD
        yield Damage(f"{place}: a flipped bit", _put(data, offset, bytes([data[offset] ^ 0x01])), seen)
        yield Damage(f"{place}: overwritten", _overwritten(data, offset, stop), seen)
        yield Damage(f"{place}: cut off", data[:offset])
    for length in (0, 2**32 - 1):
        yield Damage(f"length {length}", _put(data, 4, struct.pack(">I", length)))
    yield Damage("a byte more", data + b"\0")
    yield Damage("another file behind it", data + other)
    yield Damage("no file", None)
    yield Damage("an empty file", b"")
    yield Damage("zeros only", bytes(len(data)))
    yield Damage("another index's file", other)
    yield Damage("an older file", older)


def _put(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def _overwritten(data: bytes, offset: int, stop: int) -> bytes:
    """Return the file with zeros, as a lost block would leave it; where there are zeros already, with ones."""
    length = min(SPAN, stop - offset)
    zeroed = _put(data, offset, bytes(length))
    return zeroed if zeroed != data else _put(data, offset, b"\xff" * length)
