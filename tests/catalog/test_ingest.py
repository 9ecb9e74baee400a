from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.types import IntegerType

from catalog import commits
from catalog.callers import SYSTEM, Caller
from catalog.errors import AlreadyExists, BadCatalogRequest, NoSuchTable, NotGranted
from catalog.ingest import IngestResult, ingest_file
from catalog.ingest_requests import parse_request
from catalog.models import Commit, Grant, IngestRun, Relation, Warehouse
from catalog.own_catalog import OwnCatalog
from lakehouse_site.errors import InvalidInput

CSV = "code;n;amount;day\n007;1;1.5;2020-01-01\n012;;2.25;2020-01-02\n"


def take(path: Path, table: str = "ns.t", caller: Caller = SYSTEM, **fields: Any) -> IngestResult:
    request = parse_request({"table": table, **fields}, file_name=path.name)
    return ingest_file(path=path, source_name=path.name, request=request, caller=caller)


def rows_of(warehouse: Warehouse, table: str = "t") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = OwnCatalog(warehouse, SYSTEM).load_table(("ns", table)).scan().to_arrow().to_pylist()
    return found


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def types_of(result: IngestResult) -> dict[str, Any]:
    return {field["name"]: field["type"] for field in result.schema}


def test_a_csv_becomes_a_table_with_its_leading_zeros(warehouse: Warehouse, tmp_path: Path) -> None:
    result = take(write(tmp_path / "a.csv", CSV))

    assert types_of(result) == {"code": "string", "n": "long", "amount": "double", "day": "date"}
    assert (result.rows, result.deduplicated) == (2, False)
    assert [(row["code"], row["n"]) for row in rows_of(warehouse)] == [("007", 1), ("012", None)]
    relation = Relation.objects.get()
    assert (relation.row_count, relation.current_snapshot_id) == (2, result.snapshot_id)
    assert Commit.objects.get().action == "create"


def test_a_leading_zero_far_down_keeps_its_column_text(warehouse: Warehouse, tmp_path: Path) -> None:
    """Types are guessed from the first 20,480 rows; the guess must not cost a later row its zeros."""
    lines = "".join(f"{i},{'00' + str(i) if i == 25_000 else i},{'x' if i == 26_000 else i}\n" for i in range(30_000))

    result = take(write(tmp_path / "a.csv", "i,code,mixed\n" + lines))

    assert types_of(result) == {"i": "long", "code": "string", "mixed": "string"}
    assert rows_of(warehouse)[25_000] == {"i": 25_000, "code": "0025000", "mixed": "25000"}


def test_the_same_file_is_taken_once(warehouse: Warehouse, tmp_path: Path) -> None:
    """Also when the row of the first call is lost: the table itself says it. And again once it was rolled back."""
    path = write(tmp_path / "a.csv", CSV)
    made = take(path)
    assert take(path).deduplicated

    first = take(path, mode="append")
    second = take(path, mode="append")
    IngestRun.objects.all().delete()
    third = take(path, mode="append")

    assert (first.deduplicated, second.deduplicated, third.deduplicated) == (False, True, True)
    assert {second.snapshot_id, third.snapshot_id} == {first.snapshot_id}
    assert (len(rows_of(warehouse)), IngestRun.objects.count()) == (4, 1)

    assert made.snapshot_id is not None
    commits.rollback(warehouse=warehouse, levels=["ns"], name="t", snapshot_id=made.snapshot_id, caller=SYSTEM)
    assert not take(path, mode="append").deduplicated
    assert len(rows_of(warehouse)) == 4


def test_overwriting_replaces_all_rows_and_counts_only_while_it_is_the_last(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path, other = write(tmp_path / "a.csv", CSV), write(tmp_path / "b.csv", "code;n;amount;day\nx;5;1;2020-01-03\n")
    take(path)

    assert take(other, mode="overwrite").rows == 1
    assert take(other, mode="overwrite").deduplicated
    assert not take(path, mode="overwrite").deduplicated

    assert [row["code"] for row in rows_of(warehouse)] == ["007", "012"]


def test_columns_of_an_append_go_by_their_names(warehouse: Warehouse, tmp_path: Path) -> None:
    take(write(tmp_path / "a.csv", CSV))

    take(write(tmp_path / "b.csv", "n,code\n9,12\n"), mode="append")

    assert {"code": "12", "n": 9, "amount": None, "day": None} in rows_of(warehouse)


def test_a_new_column_needs_evolve(warehouse: Warehouse, tmp_path: Path) -> None:
    take(write(tmp_path / "a.csv", CSV))
    path = write(tmp_path / "b.jsonl", '{"code": "x", "tags": ["a"], "deep": {"k": 1}}\n')
    before = Relation.objects.get().version

    with pytest.raises(InvalidInput, match="'tags' is not in the table"):
        take(path, mode="append")
    assert Relation.objects.get().version == before

    result = take(path, mode="append", evolve=True)
    assert list(types_of(result))[-2:] == ["tags", "deep"]
    found = {row["code"]: (row["tags"], row["deep"]) for row in rows_of(warehouse)}
    assert found == {"007": (None, None), "012": (None, None), "x": (["a"], {"k": 1})}


def test_a_column_is_widened_only_with_evolve(warehouse: Warehouse, tmp_path: Path) -> None:
    OwnCatalog(warehouse, SYSTEM).create_table(("ns", "t"), pa.schema([("a", pa.int32()), ("b", pa.string())]))
    pq.write_table(pa.table({"a": [2**40]}), tmp_path / "wide.parquet")
    pq.write_table(pa.table({"b": [1]}), tmp_path / "wrong.parquet")

    with pytest.raises(InvalidInput, match=r"'a' is long in the file and int in the table"):
        take(tmp_path / "wide.parquet", mode="append")
    with pytest.raises(InvalidInput, match=r"'b' is long in the file and string in the table"):
        take(tmp_path / "wrong.parquet", mode="append", evolve=True)

    assert types_of(take(tmp_path / "wide.parquet", mode="append", evolve=True))["a"] == "long"
    assert rows_of(warehouse) == [{"a": 2**40, "b": None}]


def test_text_for_a_narrow_column_is_read_as_that_column(warehouse: Warehouse, tmp_path: Path) -> None:
    table = OwnCatalog(warehouse, SYSTEM).create_table(("ns", "t"), pa.schema([("a", pa.int32())]))
    assert table.schema().find_type("a") == IntegerType()

    take(write(tmp_path / "a.csv", "a\n1\n2\n"), mode="append")
    with pytest.raises(InvalidInput, match="Line 3"):
        take(write(tmp_path / "b.csv", "a\n1\n3000000000\n"), mode="append")

    assert rows_of(warehouse) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.csv", b"a,b\n1,2\n3,4,5\n", "Line 3"),
        ("a.csv", b"1,2,3\na,b\n4,5\n", "Line 2: 2 fields"),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n{"a": \n', "Line 3"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "Line 2"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n\xff\n', mtime=0), "Line 2"),
        ("a.csv.gz", b"no gzip", "gzip|GZIP"),
        ("a.parquet", b"PAR1 no parquet", "[Pp]arquet"),
        ("a.csv", b"", "empty"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(
    warehouse: Warehouse, tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInput, match=place):
        take(tmp_path / name)

    assert not Relation.objects.exists()


def test_types_can_be_given_and_are_shown_without_a_change(warehouse: Warehouse, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1,2\n")

    shown = take(path, types={"a": "decimal(9, 2)"}, dry_run=True)
    assert types_of(shown) == {"a": "decimal(9, 2)", "b": "long"}
    assert (shown.rows, Relation.objects.count()) == (None, 0)

    with pytest.raises(InvalidInput, match="c"):
        take(path, types={"c": "int"})
    assert types_of(take(path, types={"a": "string"}))["a"] == "string"


def test_nested_parquet_is_read_by_pyiceberg_as_it_was(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = [
        {"l": [1, None], "s": {"x": "a", "m": [("k", 1.5)]}, "b": b"\x00", "d": None},
        {"l": None, "s": None, "b": None, "d": None},
    ]
    kind = pa.struct([("x", pa.string()), ("m", pa.map_(pa.string(), pa.float64()))])
    fields = [("l", pa.list_(pa.int64())), ("s", kind), ("b", pa.binary()), ("d", pa.decimal128(12, 3))]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), tmp_path / "a.parquet")

    result = take(tmp_path / "a.parquet")

    assert result.rows == 2
    assert rows_of(warehouse) == rows


def test_tables_that_are_not_ours_to_write_are_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    OwnCatalog(warehouse, SYSTEM).create_table(
        ("ns", "v3"), pa.schema([("a", pa.int64())]), properties={"format-version": "3"}
    )
    path = write(tmp_path / "a.csv", "a\n1\n")

    with pytest.raises(BadCatalogRequest, match="format version 3"):
        take(path, "ns.v3", mode="append")
    with pytest.raises(NoSuchTable):
        take(path, "ns.nope", mode="append")
    with pytest.raises(AlreadyExists):
        take(path, "ns.v3")


def test_ingest_needs_a_grant(warehouse: Warehouse, tmp_path: Path) -> None:
    Grant.objects.create(principal="ada", warehouse=warehouse, path="ns", privilege="read")

    with pytest.raises(NotGranted):
        take(write(tmp_path / "a.csv", CSV), caller=Caller("ada"))


@pytest.mark.parametrize("row", [3, 30_000])
def test_a_very_long_line_is_taken(warehouse: Warehouse, tmp_path: Path, row: int) -> None:
    lines = (f"{i},{'x' * 3_000_000 if i == row else i}" for i in range(row + 2))

    result = take(write(tmp_path / "a.csv", "i,t\n" + "\n".join(lines) + "\n"))

    assert (result.rows, max(len(one["t"]) for one in rows_of(warehouse))) == (row + 2, 3_000_000)
