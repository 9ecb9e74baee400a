from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError

from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, maintenance, metrics, rows
from vectors.models import IndexHead
from vectors.replica import Replica
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.statements import run
from vectors.transactions import run_write

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

DATA = random_rows(90, 8)


@pytest.fixture
def state(storage: FileSystemStorage) -> IndexState:
    """An index of 60 items with a snapshot; nothing of it is in memory."""
    make_index(dimension=8)
    add_rows("docs", DATA[:60])
    maintenance.snapshot_index(name="docs")
    replicas.stop()
    return indexes.index_state(name="docs")


def now() -> IndexState:
    return indexes.index_state(name="docs")


def labels_of(replica: Replica) -> list[int]:
    found = replica.graph.search(DATA[:1], 1_000)
    assert found is not None
    return sorted(found[0].labels.tolist())


def loads(source: str) -> float:
    return metrics.GRAPH_LOADS.labels(source)._value.get()


def purge_all() -> None:
    """Purge every tombstone, however young."""
    head = IndexHead.objects.get()
    run_write(lambda: maintenance._purge_some(head.pk, head.last_seq))


def test_newer_rows_are_added_to_the_graph_of_the_snapshot_and_dead_ones_left_out(state: IndexState) -> None:
    add_rows("docs", DATA[60:], start=60)
    delete("docs", "i000000", "i000070")
    add("docs", [{"id": "i000001", "vector": DATA[5].tolist()}])
    before = loads("snapshot")
    replica = Replica(now())

    graph = replica.catch_up(now())

    assert (len(graph), replica.applied_seq) == (88, 93)
    assert labels_of(replica) == [label for label in range(1, 94) if label not in (1, 2, 71, 91, 92)]
    assert loads("snapshot") == before + 1
    assert graph.waiting_rows == 30


def test_rows_that_change_while_it_loads_are_right_in_the_end(
    state: IndexState, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows("docs", DATA[60:], start=60)
    delete("docs", "i000000")
    did: list[int] = []

    def interfere(sql: str, params: Any) -> Any:
        found = run(sql, params)
        if sql in (rows._DEAD, rows._LABELS, rows._OF_LABELS) and len(did) < 3:
            did.append(len(did))
            key = f"i00001{len(did)}"
            delete("docs", key)
            add("docs", [{"id": f"i00002{len(did)}", "vector": DATA[3].tolist()}, {"id": "new", "vector": [1] * 8}])
            delete("docs", "new")
            purge_all()
        return found

    replica = Replica(now())
    with monkeypatch.context() as during:
        during.setattr(rows, "run", interfere)
        replica.catch_up(now())
    replica.catch_up(now())

    assert len(did) == 3
    assert len(replica.graph) == now().live_count == 86
    alive = {row.label for row in rows.live_after_label(state.id, 0, 1_000)}
    assert labels_of(replica) == sorted(alive)


@pytest.mark.parametrize("statement", [1, 2])
def test_tombstones_purged_between_two_reads_of_a_load_are_not_taken_for_alive(
    state: IndexState, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    delete("docs", "i000000", "i000001")
    count = [0]

    def purge_before(sql: str, params: Any) -> Any:
        if sql in (rows._LABELS, rows._DEAD):
            count[0] += 1
            if count[0] == statement:
                purge_all()
        return run(sql, params)

    replica = Replica(now())
    state = now()
    monkeypatch.setattr(rows, "run", purge_before)
    replica.catch_up(state)

    assert count[0] == 2
    assert len(replica.graph) == 58
    assert labels_of(replica) == list(range(3, 61))


def test_one_that_is_behind_the_purge_loads_anew_and_one_that_is_not_goes_on(state: IndexState) -> None:
    behind, ahead = Replica(state), Replica(state)
    behind.catch_up(state)
    delete("docs", "i000000")
    ahead.catch_up(now())
    graph_of_the_one_ahead = ahead.graph
    purge_all()
    add("docs", [{"id": "new", "vector": [1] * 8}])

    behind.catch_up(now())
    ahead.catch_up(now())

    assert ahead.graph is graph_of_the_one_ahead
    assert labels_of(behind) == labels_of(ahead)
    assert len(behind.graph) == 60


def test_tombstones_purged_while_it_follows_are_noticed(state: IndexState, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(state)
    replica.catch_up(state)
    delete("docs", "i000000")
    add("docs", [{"id": "new", "vector": [1] * 8}])
    read = rows.changes_after

    def purge_first(*arguments: Any, **options: Any) -> Any:
        purge_all()
        return read(*arguments, **options)

    monkeypatch.setattr(rows, "changes_after", purge_first)
    replica.catch_up(now())

    assert len(replica.graph) == 60
    assert 1 not in labels_of(replica)


def test_a_database_that_fails_while_it_follows_leaves_it_usable(
    state: IndexState, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica(state)
    replica.catch_up(state)
    add_rows("docs", DATA[60:], start=60)
    delete("docs", "i000000")
    replica.page_rows = 7
    read, calls = rows.changes_after, []

    def fail_later(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise OperationalError("gone away")
        return read(*arguments, **options)

    with monkeypatch.context() as during:
        during.setattr(rows, "changes_after", fail_later)
        with pytest.raises(OperationalError):
            replica.catch_up(now())
    assert replica.applied_seq == 60

    replica.catch_up(now())

    assert labels_of(replica) == list(range(2, 91))


def test_a_newer_generation_is_loaded_in_the_background_while_the_old_graph_answers(state: IndexState) -> None:
    assert found_keys("docs", DATA[7], k=1) == ["i000007"]
    old = replicas.current(now())
    maintenance.rebuild_index(name="docs")

    # The first answer comes from the old graph and sets the change off.
    assert found_keys("docs", DATA[7], k=1) == ["i000007"]
    pause = threading.Event()
    for _ in range(3_000):
        if replicas.current(now()).generation == 1:
            break
        pause.wait(0.01)

    graph = replicas.current(now())
    assert graph is not old
    assert (graph.generation, len(graph)) == (1, 60)
    assert found_keys("docs", DATA[7], k=1) == ["i000007"]


def test_a_generation_whose_snapshot_is_gone_is_loaded_from_rows_once(
    state: IndexState, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica(state)
    replica.catch_up(state)
    maintenance.rebuild_index(name="docs")
    monkeypatch.setattr(storage, "open", lambda *_: (_ for _ in ()).throw(ConnectionError("no route")))

    replica.reload(now())

    assert (replica.generation, len(replica.graph)) == (1, 60)


def test_writes_while_it_reloads_are_followed_afterwards(state: IndexState, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(state)
    replica.catch_up(state)
    maintenance.rebuild_index(name="docs")
    at_reload = now()
    add_rows("docs", DATA[60:], start=60)
    replica.catch_up(now())

    replica.reload(at_reload)
    replica.catch_up(now())

    assert labels_of(replica) == list(range(1, 91))


def test_an_index_made_anew_under_the_name_never_sees_the_old_graph(state: IndexState) -> None:
    assert not find("docs", DATA[0]).is_exact
    indexes.drop_index(name="docs")
    make_index(dimension=8)
    add_rows("docs", DATA[30:35], prefix="n")

    answer = find("docs", DATA[30], k=10)

    assert answer.is_exact
    assert answer.hits[0][0].key == "n000000"
    assert len(answer.hits[0]) == 5


@pytest.mark.parametrize("source", ["snapshot", "rows"])
def test_an_item_that_changes_and_one_that_is_purged_while_it_loads_are_right_at_once(
    state: IndexState, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    if source == "rows":
        monkeypatch.setattr(storage, "open", lambda *_: (_ for _ in ()).throw(ConnectionError("no route")))
    replica = Replica(state)
    replica.page_rows = 7
    done: list[int] = []

    def interfere(sql: str, params: Any) -> Any:
        found = run(sql, params)
        if not done and sql in (rows._LABELS, rows._CHANGES):
            done.append(1)
            add("docs", [{"id": "i000001", "vector": DATA[80].tolist()}])
            delete("docs", "i000002")
            purge_all()
            add("docs", [{"id": "i000003", "vector": DATA[81].tolist()}])
        return found

    monkeypatch.setattr(rows, "run", interfere)
    replica.catch_up(state)

    assert done
    assert labels_of(replica) == [1, *range(5, 61), 61, 63]
    assert replica.applied_seq == 63
