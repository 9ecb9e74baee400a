"""What a file saved by hnswlib 0.8 holds: labels, delete marks and vectors, read without hnswlib.

hnswlib loads a file of another dimension without complaint and offers no way to ask which labels are marked deleted,
so both are read here first. The layout is that of `HierarchicalNSW::saveIndex` on a 64-bit little-endian machine:

==========  ======================================================================================================
header      offset of level 0, capacity, count, bytes an element, offset of the label, offset of the vector (uint64),
            top level (int32), entry point (uint32), max M, max M of level 0, M (uint64), mult (float64),
            ef_construction (uint64)
level 0     count elements: number of links (uint16), delete mark (uint8), padding, 2 M links (uint32), vector, label
upper       for each element the size of its upper links (uint32), then those
==========  ======================================================================================================
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakehouse_site.errors import DamagedFile
from vectors.distances import Float32Rows

HEADER = struct.Struct("<6QiI3QdQ")
DELETE_MARK = 1


@dataclass(frozen=True, slots=True)
class SavedGraph:
    """The elements of a file, mapped into memory.

    Attributes
    ----------
    labels
        Shape (n,), int64.
    is_deleted
        Shape (n,), bool.
    vectors
        Shape (n, dimension), float32, as they were inserted.
    """

    labels: NDArray[np.int64]
    is_deleted: NDArray[np.bool_]
    vectors: Float32Rows


def read_saved(path: Path, dimension: int, m: int) -> SavedGraph:
    """Read the elements of a file.

    Raises
    ------
    DamagedFile
        Its header is not that of a graph with these parameters, or the file is shorter than the header says.
    """
    element = np.dtype(
        [
            ("link_count", "<u2"),
            ("mark", "u1"),
            ("padding", "u1"),
            ("links", "<u4", (2 * m,)),
            ("vector", "<f4", (dimension,)),
            ("label", "<u8"),
        ]
    )
    size = path.stat().st_size
    if size < HEADER.size:
        raise DamagedFile(f"A saved graph has at least {HEADER.size} bytes, this one has {size}.")
    with path.open("rb") as file:
        offset, capacity, count, width, label, vector, top, entry, max_m, max_m0, own_m, _, _ = HEADER.unpack(
            file.read(HEADER.size)
        )
    link_bytes = 4 + 4 * 2 * m
    expected = (0, element.itemsize, link_bytes + 4 * dimension, link_bytes, m, 2 * m, m)
    if (offset, width, label, vector, max_m, max_m0, own_m) != expected:
        raise DamagedFile(f"The saved graph is not one of dimension {dimension} and m {m} of this platform.")
    if count > capacity or size < HEADER.size + count * width or (count and not (top >= 0 and entry < count)):
        raise DamagedFile(f"The header of the saved graph promises {count} elements, which the file does not hold.")
    elements = np.memmap(path, element, "r", HEADER.size, (count,)) if count else np.empty(0, element)
    return SavedGraph(
        elements["label"].astype(np.int64), (elements["mark"] & DELETE_MARK).astype(np.bool_), elements["vector"]
    )
