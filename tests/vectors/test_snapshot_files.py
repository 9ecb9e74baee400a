from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.db import InterfaceError
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound, StorageFailed
from tests.factories import add_rows, make_index, random_rows
from vectors import indexes, maintenance, objects, restore, snapshot_records, snapshots
from vectors.models import Snapshot
from vectors.snapshot_records import SnapshotInfo

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

DATA = random_rows(60, 8)


class Killed(BaseException):
    """What no handler of the product sees coming."""


@pytest.fixture
def docs() -> list[str]:
    make_index(dimension=8)
    return add_rows("docs", DATA)


def take(name: str = "docs") -> SnapshotInfo:
    return snapshots.take_snapshot(state=indexes.index_state(name=name))


def stored_names() -> list[str]:
    return objects.list_objects("_vectors")


def grow_old() -> None:
    past = timezone.now() - snapshot_records.GRACE - timedelta(seconds=1)
    Snapshot.objects.update(changed_at=past)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("function", ["save_object", "_write_file"])
def test_one_that_was_killed_leaves_nothing_for_ever(
    docs: list[str], monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    real = getattr(snapshots, function)

    def die(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    with monkeypatch.context() as during:
        during.setattr(snapshots, function, die)
        with pytest.raises(Killed):
            take()
    assert snapshot_records.verified(indexes.index_state(name="docs").id) == []
    assert snapshots.collect_files() == 0, "it may still be at work"

    grow_old()
    snapshots.collect_files()

    assert stored_names() == []
    assert not Snapshot.objects.exists()


def test_a_publisher_slower_than_the_collector_fails_and_its_file_goes(
    docs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: Any) -> None:
        objects.save_object(*arguments)
        grow_old()
        snapshots.collect_files()

    with monkeypatch.context() as during:
        during.setattr(snapshots, "save_object", slow)
        with pytest.raises(StorageFailed, match="collected"):
            take()

    grow_old()
    snapshots.collect_files()
    assert stored_names() == []
    assert take().error is None


def test_a_file_accepted_while_the_collector_looks_at_it_stays(
    docs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, collectable = snapshot_records.accept, snapshot_records.collectable

    def accept_slowly(snapshot: Snapshot, name: str) -> None:
        grow_old()
        found = collectable()
        accept(snapshot, name)
        with monkeypatch.context() as during:
            during.setattr(snapshot_records, "collectable", lambda index_id: found)
            snapshots.collect_files()

    monkeypatch.setattr(snapshot_records, "accept", accept_slowly)

    take()

    (good,) = snapshot_records.verified(indexes.index_state(name="docs").id)
    assert stored_names() == [good.object_name]


def test_a_file_that_cannot_be_deleted_is_tried_again(
    docs: list[str], storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        take()
    grow_old()
    with monkeypatch.context() as during:
        during.setattr(storage, "delete", full_disk)
        assert snapshots.collect_files() == 0
    assert len(stored_names()) == 4

    assert snapshots.collect_files() == 2
    assert sorted(stored_names()) == sorted(one.object_name for one in Snapshot.objects.all())


def test_one_killed_between_file_and_row_is_made_good(docs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        take()
    grow_old()

    def die(_: object) -> None:
        raise Killed

    with monkeypatch.context() as during:
        during.setattr(snapshot_records, "forget", die)
        with pytest.raises(Killed):
            snapshots.collect_files()
    assert Snapshot.objects.count() == 3

    snapshots.collect_files()

    assert len(stored_names()) == Snapshot.objects.count() == 2


def test_files_this_database_has_not_made_are_never_deleted(docs: list[str], storage: FileSystemStorage) -> None:
    state = indexes.index_state(name="docs")
    foreign = [f"_vectors/{state.id}/1-foreign.lhv1", "_vectors/another/1-foreign.lhv1"]
    for name in foreign:
        storage.save(name, ContentFile(b"a backup"))
    for _ in range(4):
        take()
    grow_old()

    snapshots.collect_files()
    indexes.drop_index(name="docs")
    maintenance.run_round(finish_graphs=True)

    assert sorted(stored_names()) == sorted(foreign)


def test_the_file_an_index_was_restored_from_is_never_deleted(docs: list[str]) -> None:
    take()
    (backup,) = stored_names()
    Snapshot.objects.all().delete()  # as in another database
    restore.restore_index(backup=restore.describe_backup(object_name=backup), as_name="restored")

    for _ in range(4):
        take("restored")
    grow_old()
    snapshots.collect_files()
    assert not Snapshot.objects.filter(is_foreign=True).exists()
    indexes.drop_index(name="restored")
    indexes.drop_index(name="docs")

    assert stored_names() == [backup]


def test_a_drop_takes_the_files_along(docs: list[str], storage: FileSystemStorage) -> None:
    take()
    take()

    indexes.drop_index(name="docs")

    assert stored_names() == []
    assert storage.listdir("_vectors") == ([], [])
    assert not Snapshot.objects.exists()


def test_a_drop_succeeds_though_its_files_cannot_be_deleted(
    docs: list[str], storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    take()
    with monkeypatch.context() as during:
        during.setattr(storage, "delete", full_disk)
        indexes.drop_index(name="docs")
    assert len(stored_names()) == 1

    with monkeypatch.context() as during:
        during.setattr(snapshot_records, "collectable", lambda index_id: (_ for _ in ()).throw(InterfaceError("gone")))
        make_index()
        indexes.drop_index(name="docs")

    snapshots.collect_files()
    assert stored_names() == []


@pytest.mark.parametrize("moment", ["announce", "save_object"])
def test_an_index_dropped_meanwhile_is_not_found_and_leaves_no_file(
    docs: list[str], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    owner: Any = snapshot_records if moment == "announce" else snapshots
    real = getattr(owner, moment)

    def drop_first(*arguments: Any) -> Any:
        result = real(*arguments)
        indexes.drop_index(name="docs")
        make_index(dimension=8)
        return result

    state = indexes.index_state(name="docs")
    monkeypatch.setattr(owner, moment, drop_first)
    with pytest.raises(IndexNotFound):
        snapshots.take_snapshot(state=state)

    snapshots.collect_files()
    assert stored_names() == []
    assert indexes.index_info(name="docs").snapshot is None
