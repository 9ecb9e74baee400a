from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from lakehouse_site.errors import DamagedFile, IndexExists, InvalidInput, StorageFailed
from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, maintenance, metrics, rows, snapshots
from vectors.models import IndexHead, Snapshot, VectorIndex, VectorItem
from vectors.replicas import replicas
from vectors.restore import Backup, choose, describe_backup, list_backups, restore_index

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

DATA = random_rows(80, 8)


def lose_the_database() -> None:
    """Leave nothing but what the object storage holds."""
    for model in (VectorItem, IndexHead, VectorIndex, Snapshot):
        model.objects.all().delete()
    replicas.stop()


def make_docs(name: str = "docs") -> list[str]:
    make_index(name, dimension=8, distance="euclidean", m=8, ef_construction=50, ef_search=33)
    keys = add_rows(name, DATA)
    add(name, [{"id": keys[1], "vector": DATA[1].tolist(), "metadata": {"n": 1, "text": "é\u0000"}}])
    add(name, [{"id": keys[2], "vector": DATA[70].tolist()}])
    delete(name, keys[0])
    return keys


def contents(name: str) -> list[tuple[Any, ...]]:
    state = indexes.index_state(name=name)
    return [(row.label, row.key, row.metadata, row.vector) for row in rows.live_after_label(state.id, 0, 1_000)]


def only_backup() -> Backup:
    (backup,) = list_backups().backups
    return backup


def answers(name: str) -> list[list[tuple[str, float]]]:
    return [[(hit.key, hit.distance) for hit in find(name, row, k=10, exact=True).hits[0]] for row in DATA[::9]]


def loads(source: str) -> float:
    return metrics.GRAPH_LOADS.labels(source)._value.get()


def test_an_index_comes_back_whole_into_an_empty_database() -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    before, found, told = contents("docs"), answers("docs"), indexes.index_info(name="docs")
    lose_the_database()

    restored = restore_index(backup=only_backup())

    info = indexes.index_info(name="docs")
    assert contents("docs") == before
    assert answers("docs") == found
    assert (restored.name, restored.count, restored.seq) == ("docs", 79, 83)
    same = ("name", "dimension", "distance", "m", "ef_construction", "ef_search", "count", "seq")
    assert [getattr(info, field) for field in same] == [getattr(told, field) for field in same]
    assert info.snapshot is not None
    assert told.snapshot is not None
    assert (info.snapshot.seq, info.snapshot.bytes) == (told.snapshot.seq, told.snapshot.bytes)


@pytest.mark.parametrize("as_name", [None, "other"])
def test_its_graph_is_used_and_follows_new_writes(as_name: str | None) -> None:
    keys = make_docs()
    maintenance.snapshot_index(name="docs")
    lose_the_database()
    name = as_name or "docs"
    restore_index(backup=only_backup(), as_name=as_name)
    delete(name, keys[5])
    add_rows(name, random_rows(30, 8, seed=3), prefix="new")
    before = loads("snapshot")

    assert not find(name, DATA[9]).is_exact

    assert loads("snapshot") == before + 1
    assert found_keys(name, DATA[9], k=1) == [keys[9]]
    assert found_keys(name, random_rows(30, 8, seed=3)[4], k=1) == ["new000004"]
    assert keys[5] not in found_keys(name, DATA[5], k=200)
    assert len(found_keys(name, DATA[5], k=200)) == 108


def test_a_server_that_knew_the_dropped_index_does_not_take_the_restored_one_for_it(
    storage: FileSystemStorage,
) -> None:
    keys = make_docs()
    maintenance.snapshot_index(name="docs")
    name = only_backup().object_name
    content = Path(storage.path(name)).read_bytes()
    # After the snapshot it has gone on, and this process has followed.
    delete("docs", keys[9])
    add_rows("docs", random_rows(30, 8, seed=3), prefix="lost")
    find("docs", DATA[9])
    old = indexes.index_state(name="docs")
    VectorItem.objects.all().delete()  # dropped and restored by other processes: this one hears of neither
    for model in (IndexHead, VectorIndex, Snapshot):
        model.objects.all().delete()
    assert Path(storage.path(name)).read_bytes() == content
    restore_index(backup=only_backup())
    add_rows("docs", random_rows(30, 8, seed=4), prefix="new")

    assert indexes.index_state(name="docs").id != old.id
    assert found_keys("docs", DATA[9], k=1) == [keys[9]]
    assert found_keys("docs", random_rows(30, 8, seed=4)[8], k=1) == ["new000008"]
    assert len(found_keys("docs", DATA[9], k=500)) == 109


def test_an_index_that_exists_is_left_alone_and_another_name_is_free() -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    add("docs", [{"id": "later", "vector": DATA[0].tolist()}])

    with pytest.raises(IndexExists):
        restore_index(backup=only_backup())
    restore_index(backup=only_backup(), as_name="beside")

    assert indexes.index_state(name="docs").live_count == 80
    assert indexes.index_state(name="beside").live_count == 79
    # The file belongs to the living index.
    assert indexes.index_info(name="beside").snapshot is None
    indexes.drop_index(name="beside")
    assert only_backup().name == "docs"


@pytest.mark.parametrize("position", [8, 200, 4_100, -3_000, -10], ids=str)
def test_a_damaged_file_is_refused_and_changes_nothing(storage: FileSystemStorage, position: int) -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    backup = only_backup()
    lose_the_database()
    path = Path(storage.path(backup.object_name))
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)

    with pytest.raises(DamagedFile):
        restore_index(backup=backup)

    assert not VectorIndex.objects.exists()


def test_a_restore_that_is_cut_off_leaves_nothing_and_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    lose_the_database()
    monkeypatch.setattr("vectors.lhv1_reader.PAGE_ITEMS", 10)
    upsert, calls = rows.upsert, []

    def die(*arguments: Any, **options: Any) -> None:
        upsert(*arguments, **options)
        calls.append(1)
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(rows, "upsert", die)
        with pytest.raises(KeyboardInterrupt):
            restore_index(backup=only_backup())
    assert not VectorIndex.objects.exists()
    assert not Snapshot.objects.exists()

    restore_index(backup=only_backup())
    assert indexes.index_state(name="docs").live_count == 79


def test_the_newest_readable_file_of_each_index_is_listed(storage: FileSystemStorage) -> None:
    make_docs("a")
    make_docs("b")
    for name in ("a", "b", "a", "b"):
        add(name, [{"id": "later", "vector": DATA[0].tolist()}])
        snapshots.take_snapshot(state=indexes.index_state(name=name))
    newest = {backup.name: backup for backup in list_backups().backups}
    assert {name: backup.seq for name, backup in newest.items()} == {"a": 85, "b": 85}
    Path(storage.path(newest["a"].object_name)).write_bytes(b"no more")
    storage.save("_vectors/junk/readme.txt", ContentFile(b""))
    storage.save(f"_vectors/{newest['b'].uuid}/junk.lhv1", ContentFile(b""))

    listing = list_backups()

    assert [(backup.name, backup.seq) for backup in listing.backups] == [("a", 84), ("b", 85)]
    assert [newest["a"].object_name in problem for problem in listing.problems] == [True]


def test_of_several_indexes_with_one_name_the_caller_chooses() -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    lose_the_database()
    make_docs()
    delete("docs", "i000030")
    maintenance.snapshot_index(name="docs")
    lose_the_database()
    listing = list_backups()
    assert len(listing.backups) == 2

    with pytest.raises(InvalidInput, match="Several"):
        choose(listing=listing, names=())
    with pytest.raises(InvalidInput, match="no snapshot"):
        choose(listing=listing, names=["nix"])
    (chosen,) = choose(listing=listing, names=(), newest=True)

    assert chosen.count == 78


def test_a_restored_index_publishes_files_of_its_own() -> None:
    make_docs()
    maintenance.snapshot_index(name="docs")
    backup = only_backup()
    lose_the_database()
    restore_index(backup=backup)
    add("docs", [{"id": "later", "vector": DATA[0].tolist()}])
    snapshots.take_snapshot(state=indexes.index_state(name="docs"))

    folders = {one.object_name.rsplit("/", 1)[0] for one in list_backups().backups}

    assert len(folders) == 2
    assert describe_backup(object_name=backup.object_name) == backup


def test_files_that_hold_what_no_index_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    make_docs()
    VectorItem.objects.filter(key="i000030").update(vector=np.full(8, np.nan, "<f4").tobytes())
    snapshots.take_snapshot(state=indexes.index_state(name="docs"))
    lose_the_database()

    with pytest.raises(InvalidInput):
        restore_index(backup=only_backup())

    assert not VectorIndex.objects.exists()


def test_a_storage_that_fails_is_told(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    make_docs()
    snapshots.take_snapshot(state=indexes.index_state(name="docs"))
    backup = only_backup()
    lose_the_database()
    monkeypatch.setattr(storage, "open", lambda *_: (_ for _ in ()).throw(ConnectionError("no route")))

    with pytest.raises(StorageFailed):
        restore_index(backup=backup)
    monkeypatch.setattr(storage, "listdir", lambda *_: (_ for _ in ()).throw(ConnectionError("no route")))
    with pytest.raises(StorageFailed):
        list_backups()


def test_progress_counts_the_items() -> None:
    make_docs()
    snapshots.take_snapshot(state=indexes.index_state(name="docs"))
    lose_the_database()
    counted: list[int] = []

    restore_index(backup=only_backup(), progress=counted.append)

    assert sum(counted) == 79
    assert orjson.loads(VectorItem.objects.get(key="i000001").metadata or "") == {"n": 1, "text": "é\u0000"}
