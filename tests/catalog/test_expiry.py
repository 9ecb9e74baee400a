from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog import commits
from catalog.callers import SYSTEM
from catalog.compaction import compact_table
from catalog.errors import CommitFailed
from catalog.expiry import expire_tables
from catalog.fsck import check_warehouse
from catalog.models import Warehouse
from catalog.orphans import remove_orphans
from catalog.registrations import register
from tests.catalog.lake import (
    age,
    append,
    drop,
    expire,
    ids_of,
    make_table,
    metadata_of,
    needed,
    plant,
    row_of,
    stored,
    table_of,
)


def overwrite(warehouse: Warehouse, *ids: int) -> None:
    table_of(warehouse).overwrite(pa.table({"id": pa.array(ids, pa.int64())}))


def test_old_snapshots_go_with_the_files_only_they_needed(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1, 2)
    overwrite(warehouse, 3)
    append(warehouse, 4)
    before = stored(warehouse)

    dry = expire(is_dry_run=True)
    assert stored(warehouse) == before
    result = expire()

    assert dry.snapshots == result.snapshots
    assert len(result.snapshots) == 3  # pyiceberg deletes in one snapshot and appends in the next
    assert dry.removal == result.removal
    assert set(result.removal.locations) == before - stored(warehouse)
    assert stored(warehouse) == needed(warehouse)
    assert sum(one.endswith(".parquet") for one in stored(warehouse)) == 2
    assert ids_of(warehouse) == [3, 4]
    assert len(metadata_of()["snapshots"]) == 1
    assert check_warehouse(warehouse=warehouse).faults == []
    assert expire().snapshots == ()


def test_what_branches_and_tags_need_stays(warehouse: Warehouse) -> None:
    make_table(warehouse)
    first = append(warehouse, 1)
    table_of(warehouse).manage_snapshots().create_tag(first, "v1").commit()
    overwrite(warehouse, 2)
    append(warehouse, 3)

    assert first not in expire().snapshots

    assert ids_of(warehouse, snapshot_id=first) == [1]
    assert ids_of(warehouse) == [2, 3]
    table_of(warehouse).manage_snapshots().remove_tag("v1").commit()
    assert expire().snapshots == (first,)
    assert stored(warehouse) == needed(warehouse)


def test_young_files_stay_for_the_next_run(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    overwrite(warehouse, 2)
    before = stored(warehouse)

    result = expire(grace=timedelta(hours=1))

    assert result.snapshots
    assert (result.removal.files, result.removal.young > 0) == (0, True)
    assert before <= stored(warehouse)


def test_what_another_table_needs_stays(warehouse: Warehouse) -> None:
    """A dropped table may be registered again, and clients may add files of one table to another."""
    make_table(warehouse)
    append(warehouse, 1)
    old = row_of()
    drop(warehouse)
    register(warehouse=warehouse, levels=["ns"], name="again", metadata_location=old.metadata_location, caller=SYSTEM)
    make_table(warehouse, "u")
    files = [task.file.file_path for task in table_of(warehouse, "again").scan().plan_files()]
    table_of(warehouse, "u").add_files(files)
    table_of(warehouse, "again").overwrite(pa.table({"id": pa.array([2], pa.int64())}))

    result = expire("again")

    assert result.snapshots
    assert needed(warehouse) <= stored(warehouse)
    assert ids_of(warehouse, "u") == [1]
    assert check_warehouse(warehouse=warehouse).faults == []


def test_metadata_files_go_when_the_log_no_longer_names_them(warehouse: Warehouse) -> None:
    make_table(warehouse, properties={"write.metadata.previous-versions-max": "2"})
    for number in range(5):
        append(warehouse, number)
    stray = plant(warehouse, f"{row_of().location.partition('/warehouse/')[2]}/metadata/00009-x.metadata.json")

    result = expire(older_than=timedelta(days=1))

    assert result.snapshots == ()
    assert result.removal.files == 3, result.removal
    kept = [one for one in stored(warehouse) if one.endswith(".metadata.json")]
    assert sorted(kept) == sorted([stray, row_of().metadata_location, *_log()])


def _log() -> list[str]:
    return [one["metadata-file"] for one in metadata_of()["metadata-log"]]


def test_a_tag_that_is_made_meanwhile_is_seen(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(warehouse)
    first = append(warehouse, 1)
    overwrite(warehouse, 2)
    real, left = commits.commit_tables, ["once"]

    def overtaken(**options: Any) -> Any:
        if left:
            left.pop()
            table_of(warehouse).manage_snapshots().create_tag(first, "v1").commit()
        return real(**options)

    monkeypatch.setattr("catalog.expiry.commit_tables", overtaken)

    assert first not in expire().snapshots
    assert ids_of(warehouse, snapshot_id=first) == [1]


def test_a_rollback_that_comes_in_between_keeps_its_snapshot(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table(warehouse)
    first = append(warehouse, 1)
    append(warehouse, 2)
    real, left = commits.commit_tables, ["once"]

    def overtaken(**options: Any) -> Any:
        if left:
            left.pop()
            commits.rollback(warehouse=warehouse, levels=["ns"], name="t", snapshot_id=first, caller=SYSTEM)
        return real(**options)

    monkeypatch.setattr("catalog.expiry.commit_tables", overtaken)
    expire()

    assert ids_of(warehouse) == [1]
    assert stored(warehouse) == needed(warehouse)


def test_a_table_that_forbids_it_keeps_its_files(warehouse: Warehouse) -> None:
    make_table(warehouse, properties={"gc.enabled": "false"})
    append(warehouse, 1)
    append(warehouse, 2)
    before = stored(warehouse)

    assert "gc.enabled" in expire().skipped
    assert stored(warehouse) == before


def test_a_table_whose_needs_are_unknown_stops_all_deleting(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    overwrite(warehouse, 2)
    make_table(warehouse, "broken")
    append(warehouse, 1, name="broken")
    manifest_list = metadata_of("broken")["snapshots"][0]["manifest-list"]
    Path(manifest_list.removeprefix("file://")).unlink()
    before = stored(warehouse)

    result = expire()

    assert "No file was deleted" in result.removal.errors[0]
    assert manifest_list in result.removal.errors[0]
    assert before <= stored(warehouse)


def test_compaction_and_expiry_together_leave_one_file(warehouse: Warehouse) -> None:
    make_table(warehouse)
    for number in range(4):
        append(warehouse, number)
    age(stored(warehouse))
    compact_table(relation=row_of(), min_files=2, caller=SYSTEM)

    expire()

    assert ids_of(warehouse) == [0, 1, 2, 3]
    assert sum(one.endswith(".parquet") for one in stored(warehouse)) == 1


def test_a_table_that_never_rests_is_left_alone(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    append(warehouse, 2)

    def overtaken(**options: Any) -> Any:
        raise CommitFailed("always")

    monkeypatch.setattr("catalog.expiry.commit_tables", overtaken)

    results, (failure,) = expire_tables(relations=[row_of()], older_than=timedelta(0), caller=SYSTEM)

    assert results == []
    assert "kept changing" in failure
    assert len(metadata_of()["snapshots"]) == 2


def test_a_dry_run_over_all_tables_says_what_the_run_then_does(warehouse: Warehouse) -> None:
    for name in ("t", "u"):
        make_table(warehouse, name)
        append(warehouse, 1, name=name)
    table_of(warehouse, "u").add_files([task.file.file_path for task in table_of(warehouse).scan().plan_files()])
    for name in ("t", "u"):
        table_of(warehouse, name).overwrite(pa.table({"id": pa.array([2], pa.int64())}))
    options = {"older_than": timedelta(0), "grace": timedelta(0), "caller": SYSTEM}
    relations = [row_of("t"), row_of("u")]
    before = stored(warehouse)

    dry = expire_tables(relations=relations, is_dry_run=True, **options)  # type: ignore[arg-type]
    assert stored(warehouse) == before
    done = expire_tables(relations=relations, **options)  # type: ignore[arg-type]

    assert dry == done
    assert set().union(*(one.removal.locations for one in done[0])) == before - stored(warehouse)
    assert sum(one.endswith(".parquet") for one in stored(warehouse)) == 2
    assert stored(warehouse) == needed(warehouse)


def test_what_a_killed_run_leaves_behind_is_found_as_orphans(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    overwrite(warehouse, 2)

    def killed(**options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("catalog.expiry.remove_unneeded", killed)
        with pytest.raises(KeyboardInterrupt):
            expire()
    assert len(metadata_of()["snapshots"]) == 1
    assert needed(warehouse) < stored(warehouse)
    age(stored(warehouse))

    assert expire().snapshots == ()
    assert remove_orphans(warehouse=warehouse, is_dry_run=False).errors == []

    assert stored(warehouse) == needed(warehouse)
    assert ids_of(warehouse) == [2]
