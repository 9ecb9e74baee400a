from __future__ import annotations

import struct
from pathlib import Path

import hnswlib
import numpy as np
import pytest

from lakehouse_site.errors import DamagedFile
from tests.factories import random_rows
from vectors.hnsw_file import HEADER, read_saved


def save(path: Path, *, dimension: int, m: int, count: int, deleted: tuple[int, ...] = ()) -> np.ndarray:
    index = hnswlib.Index(space="l2", dim=dimension)
    index.init_index(max(count, 1), M=m, ef_construction=20)
    rows = random_rows(count, dimension)
    if count:
        index.add_items(rows, np.arange(count) * 7 + 2**40)
    for label in deleted:
        index.mark_deleted(label * 7 + 2**40)
    index.save_index(str(path))
    return rows


@pytest.mark.parametrize(("dimension", "m", "count"), [(1, 2, 1), (3, 5, 40), (7, 16, 300), (384, 48, 60), (4, 16, 0)])
def test_labels_marks_and_vectors_are_those_that_were_inserted(
    tmp_path: Path, dimension: int, m: int, count: int
) -> None:
    deleted = tuple(range(0, count, 3))
    rows = save(tmp_path / "graph", dimension=dimension, m=m, count=count, deleted=deleted)

    saved = read_saved(tmp_path / "graph", dimension, m)

    positions = (saved.labels - 2**40) // 7
    assert sorted(positions.tolist()) == list(range(count))
    assert (np.asarray(saved.vectors) == rows[positions]).all()
    assert sorted(positions[saved.is_deleted].tolist()) == list(deleted)


@pytest.mark.parametrize(("dimension", "m"), [(5, 8), (4, 9), (4, 16), (8, 8)])
def test_a_graph_of_other_parameters_is_refused(tmp_path: Path, dimension: int, m: int) -> None:
    save(tmp_path / "graph", dimension=4, m=8, count=20)

    with pytest.raises(DamagedFile, match="dimension"):
        read_saved(tmp_path / "graph", dimension, m)


@pytest.mark.parametrize("size", [0, 1, HEADER.size - 1, HEADER.size, HEADER.size + 100])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "graph"
    save(path, dimension=4, m=8, count=20)
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(DamagedFile):
        read_saved(path, 4, 8)


@pytest.mark.parametrize(
    ("offset", "form", "value"), [(16, "<Q", 21), (16, "<Q", 2**60), (48, "<i", -1), (52, "<I", 20)]
)
def test_a_header_that_promises_what_is_not_there_is_refused(
    tmp_path: Path, offset: int, form: str, value: int
) -> None:
    path = tmp_path / "graph"
    save(path, dimension=4, m=8, count=20)
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, offset, value)
    path.write_bytes(data)

    with pytest.raises(DamagedFile, match="promises"):
        read_saved(path, 4, 8)
