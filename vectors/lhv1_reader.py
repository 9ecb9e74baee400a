"""Reading LHV1 files of all versions: checked before anything of them is used, page by page, whatever their size.

Version 3 is described in `lhv1`, versions 1 and 2 in `lhv1_go`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import orjson

from lakehouse_site.errors import DamagedFile
from vectors import lhv1_go
from vectors.lhv1 import COPY_BYTES, LENGTH, MAGIC, SECTIONS, TRAILER_BYTES, VERSION, Page
from vectors.lhv1_envelope import Envelope, Place, parse_envelope

PAGE_ITEMS = 1_000
PAGE_BYTES = 4 * 1024 * 1024


def read_envelope(file: BinaryIO) -> Envelope:
    """Read and check everything before the sections, and the size of the file.

    Parameters
    ----------
    file
        Readable and seekable.

    Raises
    ------
    DamagedFile
        It is no LHV1 file, of another version, cut short or prolonged, or its envelope is not what was written.
    """
    size = file.seek(0, 2)
    prefix = _read(file, 0, len(MAGIC) + LENGTH.size, size)
    if not prefix.startswith(MAGIC):
        raise DamagedFile(f"Byte 0: an LHV1 file begins with {MAGIC.decode()!r}, this one with {prefix[:4]!r}.")
    (length,) = LENGTH.unpack(prefix[len(MAGIC) :])
    text = _read(file, len(prefix), length, size)
    envelope = parse_envelope(text, len(prefix))
    if envelope.version == VERSION:
        _check_head(file, prefix + text, envelope, size)
    return envelope


def verify(file: BinaryIO, envelope: Envelope) -> None:
    """Read the whole file and check that `read_pages` can be trusted.

    Parameters
    ----------
    file, envelope
        The file, and what `read_envelope` has returned for it.

    Raises
    ------
    DamagedFile
        Version 3: a section is not what its checksum was made of, or not as long as the number of items asks for.
        Versions 1 and 2, which have no checksums: the graph is malformed or lacks an id.
    """
    if envelope.go_items is not None:
        lhv1_go.check(file, envelope.body_start, envelope.description.params.dimension, envelope.go_items)
        return
    for name, place in envelope.sections.items():
        lines, last = 0, b"\n"
        for data in _checked(file, name, place):
            if name in ("ids", "metadata"):
                lines, last = lines + data.count(b"\n"), data[-1:]
        if name in ("ids", "metadata") and (lines != envelope.count or last != b"\n"):
            raise DamagedFile(f"Section {name} has {lines} lines, the envelope states {envelope.count} items.")


def copy_graph(file: BinaryIO, envelope: Envelope, target: BinaryIO) -> None:
    """Copy the graph section into `target`, comparing it with its checksum; nothing else of the file is read.

    Raises
    ------
    DamagedFile
        It differs; what was copied must not be used. Or the file is of version 1 or 2: its graph is none of ours.
    """
    if "graph" not in envelope.sections:
        raise DamagedFile(f"A file of version {envelope.version} has no graph of hnswlib.")
    for data in _checked(file, "graph", envelope.sections["graph"]):
        target.write(data)


def read_pages(file: BinaryIO, envelope: Envelope, page_items: int = PAGE_ITEMS) -> Iterator[Page]:
    """Yield the items of a file that `verify` has passed.

    Parameters
    ----------
    file, envelope
        The file, and what `read_envelope` has returned for it. Others may move its position between two pages.
    page_items
        At most so many items a page; fewer where they would have more than `PAGE_BYTES` of vectors.

    Raises
    ------
    DamagedFile
        The sections do not belong together.

    Notes
    -----
    Ids are strings, vectors have the right length, labels ascend. Whether a vector is finite and an id or metadata text
    is one an index takes has to be asked of `columns.checked_batch`.
    """
    dimension = envelope.description.params.dimension
    page_items = max(1, min(page_items, PAGE_BYTES // (4 * dimension)))
    if envelope.go_items is not None:
        yield from lhv1_go.read_pages(file, envelope.body_start, dimension, envelope.go_items, page_items)
        return
    vectors, labels = envelope.sections["vectors"], envelope.sections["labels"]
    ids, metadata = (_lines(file, envelope.sections[name]) for name in ("ids", "metadata"))
    last_label = -1
    for start in range(0, envelope.count, page_items):
        count = min(page_items, envelope.count - start)
        page = Page(
            [_key(next(ids, b""), start + i) for i in range(count)],
            np.frombuffer(_read(file, labels.offset + 8 * start, 8 * count, labels.end), "<i8").astype(np.int64),
            _read(file, vectors.offset + 4 * dimension * start, 4 * dimension * count, vectors.end),
            [_metadata(next(metadata, b""), start + i) for i in range(count)],
        )
        if page.labels[0] <= last_label or not (np.diff(page.labels) > 0).all():
            raise DamagedFile(f"Items {start} to {start + count - 1}: labels have to ascend.")
        last_label = int(page.labels[-1])
        yield page


def _check_head(file: BinaryIO, head: bytes, envelope: Envelope, size: int) -> None:
    trailer_start = envelope.sections[SECTIONS[-1]].end
    if size != trailer_start + TRAILER_BYTES:
        raise DamagedFile(f"The file should have {trailer_start + TRAILER_BYTES} bytes and has {size}.")
    if _read(file, trailer_start, TRAILER_BYTES, size) != hashlib.sha256(head).digest():
        raise DamagedFile(f"Byte {trailer_start}: the trailer does not match the envelope.")


def _checked(file: BinaryIO, name: str, place: Place) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for offset in range(place.offset, place.end, COPY_BYTES):
        data = _read(file, offset, min(COPY_BYTES, place.end - offset), place.end)
        digest.update(data)
        yield data
    if digest.hexdigest() != place.sha256:
        raise DamagedFile(f"Bytes {place.offset} to {place.end}: section {name} fails its checksum.")


def _key(line: bytes, position: int) -> str:
    try:
        key: object = orjson.loads(line)
    except ValueError:
        key = None
    if not isinstance(key, str):
        raise DamagedFile(f"Item {position}: its line of the section ids is no JSON string.")
    return key


def _metadata(line: bytes, position: int) -> str | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise DamagedFile(f"Item {position}: its line of the section metadata is no JSON.")
    return text if text != "null" else None


def _lines(file: BinaryIO, place: Place) -> Iterator[bytes]:
    """Yield the lines of a section; others may move the file's position between two."""
    pieces: list[bytes] = []  # of a line longer than what is read at once
    for offset in range(place.offset, place.end, COPY_BYTES):
        data = _read(file, offset, min(COPY_BYTES, place.end - offset), place.end)
        first, *lines = data.split(b"\n")
        pieces.append(first)
        if lines:
            yield b"".join(pieces)
            *lines, last = lines
            yield from lines
            pieces = [last]


def _read(file: BinaryIO, offset: int, length: int, end: int) -> bytes:
    """Return the `length` bytes from `offset` on, which lie before `end`."""
    if offset + length > end:
        raise DamagedFile(f"Byte {offset}: {length} bytes should follow, the file ends at {end}.")
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise DamagedFile(f"Byte {offset}: {length} bytes should follow, {len(data)} could be read.")
    return data
