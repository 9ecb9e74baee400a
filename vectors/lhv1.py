"""LHV1: one index as one file, a complete backup. This module writes version 3; `lhv1_reader` reads all versions.

::

    "LHV1" | length (uint32 BE) of the envelope | envelope (JSON) | graph | vectors | labels | ids | metadata | trailer

The envelope of version 3 states the index's uuid and parameters, the sequence number up to which the file holds every
write, the number of items, and offset, length and SHA-256 of each section; spaces fill it up to `SECTIONS_START`. The
trailer is the SHA-256 of everything before the sections, so no byte of the file is without a checksum. Byte for byte:
`docs/reference/lhv1.md`.

==========  ==========================================================================================================
graph       What hnswlib saves, or nothing. A cache: vectors and labels below are the truth.
vectors     count × dimension float32, little-endian, as they were sent.
labels      count int64, little-endian, ascending, one for each vector.
ids         count lines, each a JSON string.
metadata    count lines, each a JSON object or null.
==========  ==========================================================================================================
"""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import BinaryIO
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from vectors.distances import Distance

MAGIC = b"LHV1"
VERSION = 3
LENGTH = struct.Struct(">I")
SECTIONS_START = 4096
TRAILER_BYTES = hashlib.sha256().digest_size
SECTIONS = ("graph", "vectors", "labels", "ids", "metadata")
COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class IndexParams:
    """What an index is made with."""

    name: str
    dimension: int
    distance: Distance
    m: int
    ef_construction: int
    ef_search: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of itself.

    Attributes
    ----------
    uuid
        The index it was made of; None in files of the Go service.
    applied_seq
        It holds every write up to this sequence number.
    created_at
        When it was made, ISO 8601; empty in files of the Go service.
    """

    uuid: UUID | None
    params: IndexParams
    applied_seq: int
    created_at: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some items in the order of their labels.

    Attributes
    ----------
    keys
        n ids.
    labels
        Shape (n,), int64.
    vectors
        n × dimension little-endian float32.
    metadata
        n JSON texts, None for none.
    """

    keys: list[str]
    labels: NDArray[np.int64]
    vectors: bytes
    metadata: list[str | None]


class _Section:
    """Bytes on their way into a file, counted and hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self._hash.update(data)
        self.length += len(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def write(
    file: BinaryIO,
    description: Description,
    pages: Iterable[Page],
    *,
    graph: BinaryIO | None,
    make_scratch: Callable[[], BinaryIO],
) -> int:
    """Write a file of version 3 and return the number of items in it.

    Parameters
    ----------
    file
        Empty, writable and seekable. It is flushed, not closed.
    description
        What the file is to say of itself.
    pages
        All items, labels ascending.
    graph
        What hnswlib saved, from its present position to its end; None for no graph.
    make_scratch
        Opens an empty temporary file; three are needed and closed.

    Raises
    ------
    OSError
        A file cannot be written; what is in `file` then is of no use.
    ValueError
        The pages are not as `Page` says, their labels do not ascend, or the description is too long.

    Notes
    -----
    Memory: one page.
    """
    file.seek(SECTIONS_START)
    sections = {"graph": _Section(file), "vectors": _Section(file)}
    if graph is not None:
        while data := graph.read(COPY_BYTES):
            sections["graph"].write(data)
    # Ids and metadata have no fixed length, so they wait beside the file until the last vector is in it.
    with make_scratch() as ids, make_scratch() as metadata, make_scratch() as labels:
        sections |= {"labels": _Section(labels), "ids": _Section(ids), "metadata": _Section(metadata)}
        last_label = -1
        for page in pages:
            last_label = _check_page(page, description.params.dimension, last_label)
            sections["vectors"].write(page.vectors)
            sections["labels"].write(page.labels.astype("<i8", copy=False).tobytes())
            sections["ids"].write(b"".join([orjson.dumps(key) + b"\n" for key in page.keys]))
            sections["metadata"].write(b"".join([one_line(text or "null").encode() + b"\n" for text in page.metadata]))
        for section in (labels, ids, metadata):
            section.seek(0)
            shutil.copyfileobj(section, file, COPY_BYTES)
    count = sections["labels"].length // 8
    head = _head(description, count, {name: sections[name] for name in SECTIONS})
    file.write(hashlib.sha256(head).digest())
    file.seek(0)
    file.write(head)
    file.flush()
    return count


def one_line(text: str) -> str:
    """Return JSON text without line breaks: JSON has them only between tokens, where a space says the same."""
    return text.replace("\n", " ").replace("\r", " ")


def _check_page(page: Page, dimension: int, last_label: int) -> int:
    count = len(page.keys)
    if len(page.labels) != count or len(page.metadata) != count or len(page.vectors) != 4 * dimension * count:
        raise ValueError(f"A page of {count} ids has other numbers of labels, vectors or metadata.")
    if not count:
        return last_label
    if page.labels[0] <= last_label or not (np.diff(page.labels) > 0).all():
        raise ValueError(f"Labels have to ascend, also from page to page: {page.labels[0]} follows {last_label}.")
    return int(page.labels[-1])


def _head(description: Description, count: int, sections: dict[str, _Section]) -> bytes:
    places = {}
    offset = SECTIONS_START
    for name, section in sections.items():
        places[name] = {"offset": offset, "length": section.length, "sha256": section.sha256}
        offset += section.length
    envelope = orjson.dumps(
        {
            "version": VERSION,
            "uuid": str(description.uuid) if description.uuid else None,
            "params": asdict(description.params),
            "applied_seq": description.applied_seq,
            "count": count,
            "created_at": description.created_at,
            "size": offset + TRAILER_BYTES,
            "sections": places,
        }
    )
    length = SECTIONS_START - len(MAGIC) - LENGTH.size
    if len(envelope) > length:
        raise ValueError(f"The envelope has {len(envelope)} bytes, there is room for {length}.")
    return MAGIC + LENGTH.pack(length) + envelope.ljust(length)
