from __future__ import annotations

import datetime
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse_site.errors import InvalidInput
from tests.factories import make_index
from tests.vectors.lhv1_files import PAGES
from tests.vectors.test_imports_lhv1 import stored
from vectors import indexes, parquet
from vectors.imports import import_items

pytestmark = pytest.mark.usefixtures("vectors_db")

VECTORS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5], [-1.0, 0.0, 0.25]]
KEYS = ["a", "ü", "c"]


def save(folder: Path, **columns: Any) -> Path:
    file = folder / "items.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def vectors(of: Any = None) -> Any:
    return pa.array(VECTORS, of or pa.list_(pa.float32()))


def faults(file: Path, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        import_items(name="docs", file=file, **options)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


@pytest.mark.parametrize("number", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("shape", ["list", "large_list", "fixed"])
def test_vectors_may_be_lists_of_any_float(tmp_path: Path, number: Any, shape: str) -> None:
    make_index()
    of = {"list": pa.list_(number), "large_list": pa.large_list(number), "fixed": pa.list_(number, 3)}[shape]

    result = import_items(name="docs", file=save(tmp_path, id=KEYS, vector=vectors(of)), batch_items=2)

    assert (result.read, result.added) == (3, 3)
    assert stored() == {key: (np.array(row, "<f4").tobytes(), None) for key, row in zip(KEYS, VECTORS, strict=True)}


@pytest.mark.parametrize("of", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_ids_and_metadata_may_be_any_strings(tmp_path: Path, of: Any) -> None:
    make_index()
    metadata = pa.array(['{"n": 1e300}', None, "null"], of)

    import_items(name="docs", file=save(tmp_path, id=pa.array(KEYS).cast(of), vector=vectors(), metadata=metadata))

    assert [stored()[key][1] for key in KEYS] == ['{"n": 1e300}', None, None]


def test_structs_and_maps_become_objects_without_null_fields(tmp_path: Path) -> None:
    make_index()
    structs = [{"n": 1, "deep": {"x": None, "y": [1.5, None]}, "m": [("k", None)]}, None, {"n": None}]
    of = pa.struct(
        [
            ("n", pa.int64()),
            ("deep", pa.struct([("x", pa.string()), ("y", pa.list_(pa.float32()))])),
            ("m", pa.map_(pa.string(), pa.bool_())),
        ]
    )
    import_items(name="docs", file=save(tmp_path, id=KEYS, vector=vectors(), metadata=pa.array(structs, of)))
    assert [stored()[key][1] for key in KEYS] == ['{"n":1,"deep":{"y":[1.5,null]},"m":{"k":null}}', None, "{}"]

    maps = pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int32()))
    import_items(name="docs", file=save(tmp_path, id=KEYS, vector=vectors(), metadata=maps))
    assert [stored()[key][1] for key in KEYS] == ['{"a":1,"b":null}', "{}", "{}"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": KEYS}, [("column vector", "missing_column")]),
        ({"vector": vectors()}, [("column id", "missing_column")]),
        ({"id": [1, 2, 3], "vector": vectors()}, [("column id", "column_type")]),
        ({"id": KEYS, "vector": KEYS}, [("column vector", "column_type")]),
        ({"id": KEYS, "vector": [[1], [2], [3]]}, None),
        ({"id": KEYS, "vector": pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32(), 2))}, None),
        ({"id": KEYS, "vector": vectors(), "metadata": [1, 2, 3]}, [("column metadata", "column_type")]),
        ({"id": KEYS, "vector": vectors(), "meta": KEYS}, [("column meta", "unknown_column")]),
        (
            {"id": KEYS, "vector": vectors(), "metadata": [{"at": datetime.date(2026, 1, 1)}] * 3},
            [("column metadata", "column_type")],
        ),
        (
            {"id": KEYS, "vector": vectors(), "metadata": pa.array([[(1, 2)]] * 3, pa.map_(pa.int8(), pa.int8()))},
            [("column metadata", "column_type")],
        ),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, columns: dict[str, Any], expected: Any) -> None:
    make_index()

    assert faults(save(tmp_path, **columns)) == (expected or [("column vector", "column_type")])


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    make_index()
    file = tmp_path / "items.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(KEYS), pa.array(KEYS), vectors()], ["id", "id", "vector"]), file)

    assert faults(file) == [("column id", "repeated_column")]


def test_every_bad_row_is_named_and_its_batch_is_not_written(tmp_path: Path) -> None:
    make_index()
    keys: list[str | None] = [f"k{i}" for i in range(10)]
    rows: list[Any] = [[1.0, 2.0, 3.0]] * 10
    rows[6], rows[8] = None, [1.0, 2.0]

    assert faults(save(tmp_path, id=keys, vector=rows), batch_items=5) == [
        ("row 6/vector", "required"),
        ("row 8/vector", "dimension"),
    ]
    assert indexes.index_state(name="docs").live_count == 5

    rows[6], rows[8] = [0.0, 0.0, 0.0], [1e300, 1.0, 1.0]
    keys[7] = None
    texts = [None] * 9 + ["{"]
    assert faults(save(tmp_path, id=keys, vector=rows, metadata=texts), batch_items=5) == [
        ("row 6/vector", "zero_vector"),
        ("row 7/id", "type"),
        ("row 8/vector", "not_finite"),
        ("row 9/metadata", "not_json"),
    ]
    rows[6], rows[8] = [1.0, None, 3.0], [None, None, None]
    fixed = pa.array(rows, pa.list_(pa.float32(), 3))
    for column in (pa.array(rows), fixed):
        assert faults(save(tmp_path, id=keys, vector=column), batch_items=5) == [
            ("row 6/vector", "type"),
            ("row 8/vector", "type"),
        ]
    rows[6] = None
    assert faults(save(tmp_path, id=keys, vector=pa.array(rows, pa.list_(pa.float32(), 3)))) == [
        ("row 6/vector", "required")
    ]


def test_what_json_has_not_is_refused_by_row(tmp_path: Path) -> None:
    make_index()
    structs = pa.array([{"x": 1.0}, {"x": float("nan")}, {"x": float("inf")}])
    maps = pa.array([[("a", 1)], [("a", 1), ("a", 2)], []], pa.map_(pa.string(), pa.int8()))

    assert faults(save(tmp_path, id=KEYS, vector=vectors(), metadata=structs)) == [
        ("row 1/metadata", "not_json"),
        ("row 2/metadata", "not_json"),
    ]
    assert faults(save(tmp_path, id=KEYS, vector=vectors(), metadata=maps)) == [("row 1/metadata", "not_json")]


def test_what_is_no_parquet_or_was_damaged_is_refused(tmp_path: Path) -> None:
    make_index()
    file = save(tmp_path, id=KEYS, vector=vectors())
    data = file.read_bytes()
    for bad in (
        b"",
        b"no",
        data[:-1],
        data[: len(data) // 2],
        data[:-8] + b"\xff" * 8,
        b"PAR1" + b"\0" * 100 + b"PAR1",
    ):
        file.write_bytes(bad)
        assert faults(file) == [("", "not_parquet")]
    assert faults(tmp_path / "nix.parquet") == [("", "unreadable")]
    (tmp_path / "folder.parquet").mkdir()
    assert faults(tmp_path / "folder.parquet") == [("", "unreadable")]


def test_damage_within_an_exported_file_is_noticed_by_its_checksums(tmp_path: Path) -> None:
    make_index(dimension=2)
    file = tmp_path / "items.parquet"
    with file.open("wb") as target:
        parquet.write(target, [PAGES[0]], 2)
    data = bytearray(file.read_bytes())
    column = pq.ParquetFile(file).metadata.row_group(0).column(1)
    data[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    file.write_bytes(data)

    assert faults(file) == [("", "not_parquet")]


@pytest.mark.slow
def test_one_enormous_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    rows = np.random.default_rng(3).standard_normal((40_000, 1_024), np.float32)
    keys = pa.array([f"k{i}" for i in range(len(rows))])
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 1_024)
    file = save(tmp_path, id=keys, vector=column)
    del rows, column
    size = file.stat().st_size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    count = peak = 0
    for batch in parquet.read(file, 1_024, "dot", 500):
        count += len(batch)
        peak = max(peak, pa.total_allocated_bytes())

    assert pq.ParquetFile(file).num_row_groups == 1
    assert count == 40_000
    assert size > 140_000_000
    assert peak < 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
