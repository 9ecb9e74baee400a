from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound, StorageFailed
from tests.factories import make_index
from vectors import indexes, snapshot_records
from vectors.models import Snapshot
from vectors.rows import IndexState
from vectors.snapshot_records import Status, WrittenFile

pytestmark = pytest.mark.usefixtures("vectors_db", "storage")


@pytest.fixture
def state() -> IndexState:
    return make_index()


def announce(state: IndexState, seq: int = 1) -> Snapshot:
    return snapshot_records.announce(state.id, WrittenFile(seq, 0, 10, 100, "aa"))


def publish(state: IndexState, seq: int = 1) -> Snapshot:
    snapshot = announce(state, seq)
    snapshot_records.accept(snapshot, state.name)
    return snapshot


def age(**filters: Any) -> None:
    Snapshot.objects.filter(**filters).update(changed_at=timezone.now() - snapshot_records.GRACE - timedelta(seconds=1))


def status_of(snapshot: Snapshot) -> str:
    return Snapshot.objects.get(pk=snapshot.pk).status


def info(state: IndexState) -> snapshot_records.SnapshotInfo | None:
    return snapshot_records.infos([state.id]).get(state.id)


def test_a_snapshot_counts_only_when_it_was_accepted(state: IndexState) -> None:
    snapshot = announce(state)
    assert (snapshot_records.verified(state.id), info(state)) == ([], None)

    snapshot_records.accept(snapshot, state.name)

    assert snapshot_records.verified(state.id) == [snapshot]
    assert snapshot_records.infos([state.id])[state.id].bytes == 100


def test_no_two_files_have_one_name(state: IndexState) -> None:
    assert announce(state).object_name != announce(state).object_name


def test_older_snapshots_and_what_failed_before_may_go(state: IndexState) -> None:
    failed = announce(state, 1)
    snapshot_records.fail(state, failed, "broken")
    first, second, third = (publish(state, seq) for seq in (1, 2, 3))

    assert snapshot_records.verified(state.id) == [third, second]
    assert (status_of(first), status_of(failed)) == (Status.RETIRED, Status.RETIRED)
    assert snapshot_records.collectable() == []
    age()
    assert {one.pk for one in snapshot_records.collectable()} == {first.pk, failed.pk}


def test_one_that_comes_late_does_not_replace_a_newer_one(state: IndexState) -> None:
    late = announce(state, 1)
    newer = publish(state, 5)

    snapshot_records.accept(late, state.name)

    assert snapshot_records.verified(state.id)[0] == newer


def test_a_file_that_is_being_collected_cannot_come_to_count(state: IndexState) -> None:
    slow = announce(state)
    age()
    (found,) = snapshot_records.collectable()
    assert snapshot_records.condemn(found)

    with pytest.raises(StorageFailed, match="collected"):
        snapshot_records.accept(slow, state.name)

    assert snapshot_records.verified(state.id) == []


def test_a_file_that_came_to_count_is_not_collected(state: IndexState) -> None:
    slow = announce(state)
    age()
    (found,) = snapshot_records.collectable()
    snapshot_records.accept(slow, state.name)

    assert not snapshot_records.condemn(found)
    snapshot_records.forget(found)

    assert snapshot_records.verified(state.id) == [slow]


def test_a_publisher_whose_file_was_collected_puts_it_on_record_again(state: IndexState) -> None:
    slow = announce(state)
    age()
    (found,) = snapshot_records.collectable()
    snapshot_records.condemn(found)
    snapshot_records.forget(found)
    # What it saves after that must not be lost sight of.
    snapshot_records.fail(state, slow, "too slow")
    age()

    assert [one.object_name for one in snapshot_records.collectable()] == [slow.object_name]


def test_an_index_dropped_meanwhile_has_no_snapshot_and_its_file_may_go_at_once(state: IndexState) -> None:
    snapshot = announce(state)
    indexes.drop_index(name="docs")

    with pytest.raises(IndexNotFound):
        snapshot_records.accept(snapshot, state.name)

    assert [one.pk for one in snapshot_records.collectable()] == [snapshot.pk]


def test_the_head_is_locked_while_a_snapshot_comes_to_count(state: IndexState) -> None:
    snapshot = announce(state)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        snapshot_records.accept(snapshot, state.name)

    if connection.vendor != "sqlite":
        assert any("FOR UPDATE" in query["sql"] and "indexhead" in query["sql"] for query in queries)


def test_a_damaged_file_stays_until_there_is_a_newer_good_one(state: IndexState) -> None:
    bad = publish(state)
    snapshot_records.mark_damaged(bad, "no good")
    age()
    assert (snapshot_records.collectable(), snapshot_records.verified(state.id)) == ([], [])

    publish(state, 2)

    assert status_of(bad) == Status.RETIRED


def test_only_what_counts_can_be_damaged(state: IndexState) -> None:
    first, _, _ = (publish(state, seq) for seq in (1, 2, 3))

    snapshot_records.mark_damaged(first, "gone")
    snapshot_records.note_trouble(first, "gone")

    assert status_of(first) == Status.RETIRED


def test_a_failure_is_told_beside_the_good_snapshot_until_the_next_one(state: IndexState) -> None:
    snapshot_records.fail(state, None, "disk full")
    told = info(state)
    assert told is not None
    assert (told.seq, told.error) == (None, "disk full")

    good = publish(state, 4)
    assert info(state) == snapshot_records.SnapshotInfo(4, 100, good.created_at, None)

    snapshot_records.fail(state, announce(state, 5), "one")
    snapshot_records.fail(state, announce(state, 6), "two")
    assert info(state) == snapshot_records.SnapshotInfo(4, 100, good.created_at, "two")
    assert Snapshot.objects.filter(status=Status.FAILED).count() == 1

    publish(state, 6)
    assert info(state) is not None
    assert info(state).error is None  # type: ignore[union-attr]


def test_trouble_is_told_until_it_is_over(state: IndexState) -> None:
    good = publish(state)
    snapshot_records.note_trouble(good, "no answer")
    assert info(state).error == "no answer"  # type: ignore[union-attr]

    snapshot_records.note_trouble(Snapshot.objects.get(pk=good.pk), "")

    assert info(state).error is None  # type: ignore[union-attr]


def test_a_damaged_snapshot_is_told_beside_the_older_good_one(state: IndexState) -> None:
    older, newer = publish(state, 1), publish(state, 2)

    snapshot_records.mark_damaged(newer, "flipped bits")

    assert info(state) == snapshot_records.SnapshotInfo(1, 100, older.created_at, "flipped bits")
    assert snapshot_records.standings()[state.id].seq == 1


def test_standings_tell_the_newest_good_one_and_the_last_failure(state: IndexState) -> None:
    other = make_index("other")
    publish(state, 7)
    publish(state, 9)
    snapshot_records.fail(other, None, "broken")

    found = snapshot_records.standings()

    assert (found[state.id].seq, found[state.id].failed_at) == (9, None)
    assert (found[other.id].seq, found[other.id].failed_at is None) == (-1, False)


def test_an_adopted_file_is_foreign_and_one_on_record_is_not_adopted(state: IndexState) -> None:
    written = WrittenFile(3, 0, 10, 100, "aa")
    snapshot_records.adopt(state.id, "_vectors/x/3-f.lhv1", written)
    other = uuid.uuid4()

    snapshot_records.adopt(other, "_vectors/x/3-f.lhv1", written)

    (mine,) = snapshot_records.verified(state.id)
    assert mine.is_foreign
    assert snapshot_records.verified(other) == []
