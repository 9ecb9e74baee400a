from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.types import LongType

from catalog import commits, compaction_files
from catalog.callers import SYSTEM
from catalog.compaction import Compacted, compact_table
from catalog.errors import BadCatalogRequest, CommitFailed, NoSuchTable
from catalog.models import Commit, Warehouse
from tests.catalog.lake import append, drop, ids_of, make_table, metadata_of, needed, row_of, stored, table_of


def compact(**options: Any) -> Compacted:
    return compact_table(relation=row_of(), caller=SYSTEM, **{"min_files": 2, **options})


def fill(warehouse: Warehouse, files: int = 4) -> None:
    make_table(warehouse)
    for number in range(files):
        append(warehouse, 2 * number, 2 * number + 1)


def data_files(warehouse: Warehouse) -> list[str]:
    return [task.file.file_path for task in table_of(warehouse).scan().plan_files()]


def test_small_files_become_one_and_no_row_changes(warehouse: Warehouse) -> None:
    fill(warehouse)
    before, old = ids_of(warehouse), table_of(warehouse).metadata.current_snapshot_id

    dry = compact(is_dry_run=True)
    assert len(data_files(warehouse)) == 4
    result = compact()

    assert (dry.files_before, dry.files_after, dry.rows) == (4, 1, 8)
    assert (result.files_before, result.files_after, result.rows) == (4, 1, 8)
    assert ids_of(warehouse) == before
    assert len(data_files(warehouse)) == 1
    summary = metadata_of()["snapshots"][-1]["summary"]
    assert (summary["operation"], summary["total-records"], summary["total-data-files"]) == ("replace", "8", "1")
    assert (row_of().row_count, row_of().current_snapshot_id) == (8, result.snapshot_id)
    assert Commit.objects.all()[0].action == "compact"
    assert ids_of(warehouse, snapshot_id=old) == before
    assert "No partition" in compact().skipped


def test_files_are_rewritten_within_their_partition_and_from_any_schema(warehouse: Warehouse) -> None:
    fields = [{"id": 1, "name": "id", "type": "int", "required": False}, *_more_fields()]
    spec = {"spec-id": 0, "fields": [{"source-id": 2, "field-id": 1000, "name": "b", "transform": "identity"}]}
    table = make_table(warehouse, fields=fields, partition_spec=spec)
    for number in range(3):
        _add(table, number, {"s": ["a", "b", None], "l": [[number], None, []]})
    with table.update_schema() as update:
        update.rename_column("s", "t")
        update.add_column("new", table.schema().find_type("s"))
        update.update_column("id", field_type=LongType())
    _add(table, 2**40, {"t": ["a", "b", None], "l": [[1], None, []], "new": ["x", None, "y"]}, kind=pa.int64())
    key = [("id", "ascending"), ("t", "ascending")]
    before = table_of(warehouse).scan().to_arrow().sort_by(key).to_pylist()

    result = compact()

    assert table_of(warehouse).scan().to_arrow().sort_by(key).to_pylist() == before
    assert (result.files_before, result.files_after) == (12, 3)
    assert len(table_of(warehouse).scan(row_filter="t == 'a'").to_arrow()) == 4
    assert len(list(table_of(warehouse).scan(row_filter="t == 'a'").plan_files())) == 1


def _more_fields() -> list[dict[str, Any]]:
    items = {"type": "list", "element-id": 4, "element": "int", "element-required": False}
    return [
        {"id": 2, "name": "s", "type": "string", "required": False},
        {"id": 3, "name": "l", "type": items, "required": False},
    ]


def _add(table: Any, number: int, columns: dict[str, Any], kind: Any = None) -> None:
    kinds = {"l": pa.list_(pa.int32())}
    arrays = {name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()}
    table.append(pa.table({"id": pa.array([number] * 3, kind or pa.int32()), **arrays}))


def test_files_are_cut_at_the_target_size(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.compaction_files.ROW_GROUP_BYTES", 1000)
    make_table(warehouse)
    for number in range(5):
        append(warehouse, *range(1000 * number, 1000 * number + 1000))
    before = ids_of(warehouse)

    result = compact(target_bytes=5_000)

    assert (result.files_before, result.files_after) == (5, 2)
    assert ids_of(warehouse) == before


def meanwhile(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Let somebody else do something once, after the files are rewritten and before the commit."""
    real, left = compaction_files.rewrite, [work]

    def rewrite(**options: Any) -> Any:
        new = real(**options)
        if left:
            left.pop()()
        return new

    monkeypatch.setattr("catalog.compaction.rewrite", rewrite)


def test_an_append_that_comes_in_between_survives(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(warehouse)
    meanwhile(monkeypatch, lambda: append(warehouse, 100))

    assert compact().files_after == 1

    assert ids_of(warehouse) == [*range(8), 100]
    assert len(data_files(warehouse)) == 2


def test_an_append_during_the_commit_survives(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(warehouse)
    real, left = commits.commit_tables, [1, 2]

    def overtaken(**options: Any) -> Any:
        if left:
            append(warehouse, 100 + left.pop())
        return real(**options)

    monkeypatch.setattr("catalog.compaction.commit_tables", overtaken)

    compact()

    assert ids_of(warehouse) == [*range(8), 101, 102]
    assert stored(warehouse) == needed(warehouse)


@pytest.mark.parametrize("change", ["delete", "overwrite", "drop"])
def test_whoever_changes_the_rows_meanwhile_wins(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    fill(warehouse)

    def work() -> None:
        table = table_of(warehouse)
        if change == "delete":
            table.delete("id == 3")
        elif change == "overwrite":
            table.overwrite(pa.table({"id": pa.array([50], pa.int64())}))
        else:
            drop(warehouse)

    meanwhile(monkeypatch, work)

    with pytest.raises(CommitFailed if change != "drop" else NoSuchTable):
        compact()

    if change != "drop":
        assert ids_of(warehouse) == ([50] if change == "overwrite" else [0, 1, 2, 4, 5, 6, 7])
        assert metadata_of()["snapshots"][-1]["summary"]["operation"] != "replace"
    assert stored(warehouse) == needed(warehouse)


def test_tables_that_only_engines_may_rewrite_are_left_alone(warehouse: Warehouse) -> None:
    make_table(warehouse, version=3)

    assert "format version is 3" in compact().skipped


def test_a_file_that_cannot_be_read_leaves_the_table_as_it_was(warehouse: Warehouse) -> None:
    fill(warehouse)
    Path(data_files(warehouse)[0].removeprefix("file://")).write_bytes(b"PAR1 no more PAR1")
    before = stored(warehouse)

    with pytest.raises(BadCatalogRequest, match="cannot be read"):
        compact()

    assert stored(warehouse) == before
