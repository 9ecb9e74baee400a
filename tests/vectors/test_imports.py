from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse_site.errors import InvalidInput
from tests.factories import found_keys, make_index
from vectors import imports, indexes, items
from vectors.imports import import_items

pytestmark = pytest.mark.usefixtures("vectors_db")


def write_lines(file: Path, values: list[Any]) -> Path:
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
    return file


def test_json_lines_are_added_in_batches_and_once(tmp_path: Path) -> None:
    make_index()
    file = write_lines(
        tmp_path / "items.jsonl", [{"id": f"k{i}", "vector": [1, i, 0], "metadata": {"i": i}} for i in range(25)]
    )
    seen: list[int] = []

    first = import_items(name="docs", file=file, batch_items=10, progress=seen.append)
    seq = indexes.index_state(name="docs").last_seq
    second = import_items(name="docs", file=file, batch_items=10)

    assert seen == [10, 10, 5]
    assert (first.read, first.added, first.updated, first.count) == (25, 25, 0, 25)
    assert (second.read, second.added, second.updated, second.count) == (25, 0, 25, 25)
    assert indexes.index_state(name="docs").last_seq == seq + 25
    assert found_keys("docs", [1, 7, 0], k=1) == ["k7"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_of_a_matrix_belong_to_the_lines_beside_it(tmp_path: Path, dtype: type) -> None:
    make_index()
    matrix: np.ndarray[Any, Any] = np.arange(1, 37).reshape(12, 3).astype(dtype)
    np.save(tmp_path / "vectors.npy", matrix)
    lines = write_lines(tmp_path / "items.jsonl", [{"id": f"k{i}", "metadata": {"i": i}} for i in range(12)])

    import_items(name="docs", file=tmp_path / "vectors.npy", items=lines, batch_items=5)

    found, _ = items.fetch_items(state=indexes.index_state(name="docs"), keys=["k11"], include={"vector", "metadata"})
    assert found[0].metadata == '{"i":11}'
    assert np.frombuffer(found[0].vector or b"", "<f4").tolist() == matrix[11].tolist()


def test_a_bad_line_is_named_by_its_number_and_its_batch_is_not_written(tmp_path: Path) -> None:
    make_index()
    values: list[Any] = [{"id": f"k{i}", "vector": [1, i, 0]} for i in range(25)]
    values[13] = {"id": "x", "vector": [1, "2", 3]}
    file = write_lines(tmp_path / "items.jsonl", values)

    with pytest.raises(InvalidInput) as caught:
        import_items(name="docs", file=file, batch_items=10)

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("line 14/vector/1", "type")]
    assert indexes.index_state(name="docs").live_count == 10


def test_blank_lines_do_not_shift_the_numbers(tmp_path: Path) -> None:
    make_index()
    file = tmp_path / "items.jsonl"
    file.write_text('\n{"id": "a", "vector": [1, 2, 3]}\n\n\n{"id": "b", "vector": [1, 2]}\n')

    with pytest.raises(InvalidInput, match="line 5/vector"):
        import_items(name="docs", file=file)


def test_what_is_no_json_is_named_by_its_line(tmp_path: Path) -> None:
    make_index()
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "a", "vector": [1, 2, 3]}\n{"id": "b", "vec\n')

    with pytest.raises(InvalidInput, match="line 2"):
        import_items(name="docs", file=file)


def test_integers_beyond_64_bits_are_kept(tmp_path: Path) -> None:
    make_index()
    file = write_lines(tmp_path / "items.jsonl", [{"id": "a", "vector": [1, 2, 3], "metadata": {"n": 3**80}}])

    import_items(name="docs", file=file)

    found, _ = items.fetch_items(state=indexes.index_state(name="docs"), keys=["a"], include={"metadata"})
    assert json.loads(found[0].metadata or "") == {"n": 3**80}


def test_a_matrix_needs_its_lines_and_the_right_shape(tmp_path: Path) -> None:
    make_index()
    matrix, wide, words = tmp_path / "vectors.npy", tmp_path / "wide.npy", tmp_path / "words.npy"
    np.save(matrix, np.ones((3, 3), np.float32))
    np.save(wide, np.ones((3, 4), np.float32))
    words.write_text("no matrix")
    lines = write_lines(tmp_path / "items.jsonl", [{"id": "a"}, {"id": "b"}])

    for file, its_items, code in (
        (matrix, None, "items_missing"),
        (matrix, lines, "length_mismatch"),
        (wide, lines, "shape"),
        (words, lines, "not_npy"),
        (tmp_path / "nix.npy", lines, "unreadable"),
        (tmp_path / "nix.jsonl", None, "unreadable"),
        (lines, lines, "items_unused"),
    ):
        with pytest.raises(InvalidInput) as caught:
            import_items(name="docs", file=file, items=its_items)
        assert caught.value.faults[0].code == code
    assert imports.BATCH_ITEMS == 1_000
    assert indexes.index_state(name="docs").live_count == 0
