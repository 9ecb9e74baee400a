from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError, connection

from lakehouse_site.errors import IndexNotFound, StorageFailed
from tests.factories import add_rows, delete, found_keys, make_index, random_rows
from vectors import indexes, maintenance, snapshot_records, snapshots
from vectors.maintenance import IDLE, MAX_AGE, MIN_INTERVAL, RETRY_AFTER, is_due, run_round
from vectors.models import IndexHead, Snapshot, VectorIndex
from vectors.replicas import replicas
from vectors.snapshot_records import Standing, Status

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = random_rows(60, 8)


def fail(error: Exception) -> Any:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def come_to_rest() -> None:
    IndexHead.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "written_ago", "snapshot_ago", "failed_ago", "expected"),
    [
        pytest.param(0, IDLE, MIN_INTERVAL, None, False, id="nothing has changed"),
        pytest.param(1, IDLE, MIN_INTERVAL, None, True, id="it has come to rest"),
        pytest.param(1, IDLE * 0.9, MAX_AGE * 0.9, None, False, id="a few changes, and it is busy"),
        pytest.param(1, IDLE * 0.9, MAX_AGE, None, True, id="the last one is old"),
        pytest.param(10_000, timedelta(0), MIN_INTERVAL, None, False, id="many changes, a small share"),
        pytest.param(20_000, timedelta(0), MIN_INTERVAL, None, True, id="many changes, a large share"),
        pytest.param(99_999, timedelta(0), MIN_INTERVAL * 0.9, None, False, id="the last one is too young"),
        pytest.param(1, IDLE, MAX_AGE, RETRY_AFTER * 0.9, False, id="it has just failed"),
        pytest.param(1, IDLE, MAX_AGE, RETRY_AFTER, True, id="it failed some time ago"),
    ],
)
def test_when_a_snapshot_is_due(
    changes: int,
    written_ago: timedelta,
    snapshot_ago: timedelta,
    failed_ago: timedelta | None,
    expected: bool,
) -> None:
    head = IndexHead(index=VectorIndex(created_at=NOW), last_seq=500 + changes, live_count=100_000)
    head.updated_at = NOW - written_ago
    standing = Standing(500, NOW - snapshot_ago, NOW - failed_ago if failed_ago else None)

    assert is_due(head, standing, NOW) is expected


def test_an_index_without_a_snapshot_gets_one_when_it_is_idle_or_old() -> None:
    index = VectorIndex(created_at=NOW - MAX_AGE * 0.5)
    head = IndexHead(index=index, last_seq=0, live_count=0, updated_at=NOW - IDLE * 0.5)

    assert not is_due(head, Standing(), NOW)
    assert is_due(head, Standing(), NOW + MAX_AGE * 0.5)
    assert is_due(head, Standing(), NOW + IDLE * 0.5)


def test_a_round_publishes_what_is_due_and_nothing_twice() -> None:
    for name in ("a", "b"):
        make_index(name, dimension=8)
        add_rows(name, DATA)
    assert run_round(finish_graphs=True).snapshots == 0, "they are busy"
    come_to_rest()

    first, second = run_round(finish_graphs=True), run_round(finish_graphs=True)

    assert (first.indexes, first.snapshots, first.errors) == (2, 2, [])
    assert second.snapshots == 0
    assert all(one.graph_bytes for one in Snapshot.objects.all())


def test_a_server_waits_for_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "_start", lambda: None)
    make_index(dimension=8)
    add_rows("docs", DATA)
    come_to_rest()

    assert run_round(finish_graphs=False).snapshots == 0

    maintenance._finish(replicas.current(indexes.index_state(name="docs")), lambda moved: None)
    assert run_round(finish_graphs=False).snapshots == 1


def test_a_graph_that_is_drained_into_a_new_one_is_not_saved_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "_start", lambda: None)
    make_index(dimension=8)
    keys = add_rows("docs", random_rows(300, 8))
    graph = replicas.current(indexes.index_state(name="docs"))
    maintenance._finish(graph, lambda moved: None)
    delete("docs", *keys[:150])
    replicas.current(indexes.index_state(name="docs"))
    graph._chunk = 4
    graph.move_chunk(1)
    assert graph.waiting_rows == 0
    come_to_rest()

    assert run_round(finish_graphs=False).snapshots == 0
    assert run_round(finish_graphs=True).snapshots == 1


@pytest.mark.parametrize("error", [StorageFailed("no route"), MemoryError(), ValueError("who knows")])
def test_an_index_in_trouble_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    for name in ("a", "b", "c"):
        make_index(name, dimension=8)
        add_rows(name, DATA)
    come_to_rest()
    take = snapshots.take_snapshot

    def fail_for_one(*, state: Any, **options: Any) -> Any:
        if state.name == "b":
            raise error
        return take(state=state, **options)

    monkeypatch.setattr(maintenance, "take_snapshot", fail_for_one)

    done = run_round(finish_graphs=True)

    assert (done.indexes, done.snapshots) == (3, 2)
    assert [line.partition(":")[0] for line in done.errors] == ["b"]


def test_a_database_that_is_away_ends_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index()
    come_to_rest()
    monkeypatch.setattr(maintenance, "take_snapshot", fail(OperationalError("gone")))

    with pytest.raises(OperationalError):
        run_round(finish_graphs=True)


def test_a_failed_snapshot_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch, storage: Any) -> None:
    make_index(dimension=8)
    add_rows("docs", DATA)
    come_to_rest()
    with monkeypatch.context() as during:
        during.setattr(storage, "save", fail(OSError("broken")))
        assert len(run_round(finish_graphs=True).errors) == 1
        assert run_round(finish_graphs=True).errors == []

    Snapshot.objects.update(changed_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert run_round(finish_graphs=True).snapshots == 1


def test_an_index_dropped_meanwhile_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index("a")
    make_index("b")
    come_to_rest()
    is_due = maintenance.is_due

    def drop_first(head: IndexHead, *arguments: Any) -> bool:
        indexes.drop_index(name=head.index.name)
        return is_due(head, *arguments)

    monkeypatch.setattr(maintenance, "is_due", drop_first)

    done = run_round(finish_graphs=True)

    assert (done.indexes, done.snapshots, done.errors) == (2, 0, [])


def test_a_round_that_is_to_end_ends_between_two_indexes() -> None:
    make_index("a")
    make_index("b")
    come_to_rest()
    turns = iter([True, False])

    assert run_round(finish_graphs=True, go_on=lambda: next(turns)).snapshots == 1


def test_a_graph_built_anew_is_published_before_anybody_is_sent_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", DATA)
    moved: list[int] = []

    info = maintenance.rebuild_index(name="docs", progress=moved.append)

    (newest,) = Snapshot.objects.filter(status=Status.VERIFIED)
    assert (newest.generation, newest.seq, info.seq) == (1, 60, 60)
    assert IndexHead.objects.get().generation == 1
    assert newest.graph_bytes > 0
    monkeypatch.setattr(maintenance, "take_snapshot", fail(StorageFailed("broken")))
    with pytest.raises(StorageFailed):
        maintenance.rebuild_index(name="docs")
    assert IndexHead.objects.get().generation == 1


def test_an_index_dropped_or_made_anew_while_it_is_rebuilt_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", DATA)
    finish = maintenance._finish

    def replace(*arguments: Any) -> None:
        finish(*arguments)
        indexes.drop_index(name="docs")
        make_index(dimension=8)

    monkeypatch.setattr(maintenance, "_finish", replace)

    with pytest.raises(IndexNotFound):
        maintenance.rebuild_index(name="docs")

    assert (IndexHead.objects.get().generation, Snapshot.objects.count()) == (0, 0)


def test_searches_are_answered_while_an_index_is_rebuilt(storage: FileSystemStorage) -> None:
    make_index(dimension=8)
    add_rows("docs", random_rows(2_000, 8))
    query = random_rows(2_000, 8)[7]
    stop = threading.Event()
    errors: list[object] = []

    def search() -> None:
        try:
            while not stop.is_set():
                if (found := found_keys("docs", query, k=1)) != ["i000007"]:
                    errors.append(found)
        except Exception as error:  # noqa: BLE001  a thread's error would be lost
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=search)
    thread.start()
    for _ in range(2):
        maintenance.rebuild_index(name="docs")
    stop.set()
    thread.join(30)

    assert errors == []
    assert snapshot_records.verified(indexes.index_state(name="docs").id)[0].generation == 2
