from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from django.test import override_settings
from django.utils import timezone

from catalog import namespaces, relation_moves
from catalog.callers import SYSTEM
from catalog.errors import NoSuchTable
from catalog.fsck import check_warehouse
from catalog.models import Commit, IdempotencyKey, IngestRun, Namespace, QueryRun, Relation, Warehouse
from catalog.orphans import MIN_AGE, remove_orphans
from catalog.purge import due_for_purge, prune_records, purge_relation
from catalog.registrations import register
from lakehouse_site.errors import InvalidInput
from tests.catalog.lake import (
    age,
    append,
    drop,
    ids_of,
    make_table,
    make_view,
    metadata_of,
    plant,
    row_of,
    stored,
    table_of,
)


def test_orphans_are_listed_and_then_deleted_and_nothing_else_is(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    table_of(warehouse).overwrite(pa.table({"id": pa.array([2], pa.int64())}))
    make_table(warehouse, "dropped")
    append(warehouse, 3, name="dropped")
    drop(warehouse, "dropped", purge=True)
    make_view(warehouse)
    kept = stored(warehouse)
    age(kept)
    orphans = {plant(warehouse, "ns-1/lost.parquet"), plant(warehouse, row_key() + "/metadata/00001-x.metadata.json")}
    young = plant(warehouse, "ns-1/young.parquet", hours=2)

    listed = remove_orphans(warehouse=warehouse)
    assert (set(listed.locations), listed.young) == (orphans, 1)
    assert stored(warehouse) == {*kept, *orphans, young}
    deleted = remove_orphans(warehouse=warehouse, is_dry_run=False)

    assert (deleted.locations, deleted.errors) == (listed.locations, [])
    assert stored(warehouse) == {*kept, young}
    assert remove_orphans(warehouse=warehouse, older_than=MIN_AGE, is_dry_run=False).locations == [young]
    assert check_warehouse(warehouse=warehouse).faults == []
    relation_moves.undrop(relation_id=Relation.objects.get(name="dropped").pk, caller=SYSTEM)
    assert ids_of(warehouse, "dropped") == [3]


def row_key() -> str:
    return row_of().location.partition("/warehouse/")[2]


def test_a_file_that_is_reached_over_a_link_is_no_orphan(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    data = Path(row_of().location.removeprefix("file://"), "data")
    elsewhere = Path(warehouse.root.removeprefix("file://"), "elsewhere")
    data.rename(elsewhere)
    data.symlink_to(elsewhere)
    age(stored(warehouse))

    assert remove_orphans(warehouse=warehouse, is_dry_run=False).files == 0
    assert ids_of(warehouse) == [1]


def test_files_of_a_commit_under_way_are_protected_by_their_age(warehouse: Warehouse) -> None:
    with pytest.raises(InvalidInput, match="under way"):
        remove_orphans(warehouse=warehouse, older_than=timedelta(minutes=59))


def test_a_table_whose_needs_are_unknown_stops_all_deleting(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    age(stored(warehouse))
    Path(metadata_of()["snapshots"][0]["manifest-list"].removeprefix("file://")).write_bytes(b"no Avro")
    lost = plant(warehouse, "lost.parquet")

    removal = remove_orphans(warehouse=warehouse, is_dry_run=False)

    assert "manifest list" in removal.errors[0]
    assert lost in stored(warehouse)


def test_a_table_dropped_with_its_files_is_purged_when_its_time_is_up(warehouse: Warehouse) -> None:
    make_table(warehouse, "kept")
    append(warehouse, 9, name="kept")
    rest = stored(warehouse)
    make_table(warehouse)
    append(warehouse, 1)
    table_of(warehouse).overwrite(pa.table({"id": pa.array([2], pa.int64())}))
    IngestRun.objects.create(
        content_key="k", relation=row_of(), source="a", file_format="csv", mode="append", sha256="", size_bytes=1,
        rows=1, fingerprint="", seconds=1,
    )  # fmt: skip
    dropped = drop(warehouse, purge=True)
    assert due_for_purge(warehouse=warehouse) == []
    long_ago(dropped, days=6)
    assert due_for_purge(warehouse=warehouse) == []
    with override_settings(LAKEHOUSE_CATALOG_UNDROP_DAYS=5):
        assert due_for_purge(warehouse=warehouse) == [dropped]
    long_ago(dropped, days=8)
    before = stored(warehouse)

    (due,) = due_for_purge(warehouse=warehouse)
    dry = purge_relation(relation_id=due.pk, is_dry_run=True)
    assert stored(warehouse) == before
    result = purge_relation(relation_id=due.pk)

    assert dry == result
    assert set(result.removal.locations) == before - rest
    assert stored(warehouse) == rest
    assert list(Relation.objects.values_list("name", flat=True)) == ["kept"]
    assert not IngestRun.objects.exists()
    assert not Commit.objects.filter(relation_id=due.pk).exists()
    with pytest.raises(NoSuchTable):
        purge_relation(relation_id=due.pk)


def long_ago(relation: Relation, *, days: float) -> None:
    Relation.objects.filter(pk=relation.pk).update(deleted_at=timezone.now() - timedelta(days=days))


def test_a_table_dropped_without_its_files_stays_until_somebody_says_so(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    dropped = drop(warehouse)
    long_ago(dropped, days=1000)

    assert due_for_purge(warehouse=warehouse) == []
    purge_relation(relation_id=dropped.pk)

    assert stored(warehouse) == set()


def test_an_undropped_table_is_not_purged(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    dropped = drop(warehouse, purge=True)
    long_ago(dropped, days=8)
    relation_moves.undrop(relation_id=dropped.pk, caller=SYSTEM)

    assert due_for_purge(warehouse=warehouse) == []
    with pytest.raises(NoSuchTable):
        purge_relation(relation_id=dropped.pk)
    assert ids_of(warehouse) == [1]


def test_purging_leaves_the_files_of_a_table_that_was_registered_from_them(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    old = row_of()
    drop(warehouse, purge=True)
    register(warehouse=warehouse, levels=["ns"], name="t", metadata_location=old.metadata_location, caller=SYSTEM)

    purge_relation(relation_id=old.pk)

    assert ids_of(warehouse) == [1]
    assert check_warehouse(warehouse=warehouse).faults == []


def test_records_that_have_served_are_pruned(warehouse: Warehouse) -> None:
    now = timezone.now()
    for days in (0, 2, 31):
        key = IdempotencyKey.objects.create(principal="p", key=str(days), request_sha256="", status=200)
        run = QueryRun.objects.create(sql="SELECT 1", status="done")
        IdempotencyKey.objects.filter(pk=key.pk).update(created_at=now - timedelta(days=days))
        QueryRun.objects.filter(pk=run.pk).update(created_at=now - timedelta(days=days))
    for name in ("empty", "full"):
        namespaces.create_namespace(warehouse=warehouse, levels=[name], caller=SYSTEM)
    make_table(warehouse)
    drop(warehouse)
    Relation.objects.update(namespace=Namespace.objects.get(path="full"))
    for name in ("empty", "full"):
        namespaces.drop_namespace(warehouse=warehouse, levels=[name], caller=SYSTEM)

    dry = prune_records(is_dry_run=True)
    assert IdempotencyKey.objects.count() == 3
    assert prune_records() == dry

    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["0"]
    assert QueryRun.objects.count() == 2
    assert set(Namespace.objects.values_list("path", flat=True)) == {"ns", "full"}
