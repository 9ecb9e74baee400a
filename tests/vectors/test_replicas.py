from __future__ import annotations

import logging
import threading

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, rows
from vectors.graph import SearchGraph
from vectors.graph_types import Changes
from vectors.models import IndexHead, VectorItem
from vectors.replica import Replica
from vectors.replicas import replicas

pytestmark = pytest.mark.usefixtures("vectors_db")


def test_a_graph_refuses_to_catch_up_inside_a_transaction() -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])

    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        find("docs", [1, 0, 0])

    assert found_keys("docs", [1, 0, 0]) == ["a"]


def test_catching_up_in_pages_misses_nothing() -> None:
    make_index(dimension=4)
    data = random_rows(250, 4)
    keys = add_rows("docs", data)
    delete("docs", *keys[::5])
    state = indexes.index_state(name="docs")
    replica = Replica(state)
    replica.page_rows = 7

    replica.catch_up(state)

    assert len(replica.graph) == 200
    assert replica.applied_seq == state.last_seq


def test_a_row_deleted_while_the_index_loads_is_not_taken_for_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=4)
    keys = add_rows("docs", random_rows(20, 4))
    delete("docs", keys[19])
    state = indexes.index_state(name="docs")
    replica = Replica(state)
    replica.page_rows = 5
    read = rows.changes_after
    pages: list[object] = []

    def delete_after_the_first_page(*arguments: object, **options: object) -> object:
        page = read(*arguments, **options)  # type: ignore[arg-type]
        if not pages:
            delete("docs", keys[0])
        pages.append(page)
        return page

    monkeypatch.setattr("vectors.rows.changes_after", delete_after_the_first_page)
    replica.catch_up(state)
    monkeypatch.undo()
    replica.catch_up(indexes.index_state(name="docs"))

    assert len(replica.graph) == 18
    found = replica.graph.search(random_rows(1, 4), 20)
    assert found is not None
    assert 1 not in found[0].labels.tolist()


def test_sequence_numbers_no_row_carries_are_passed_over() -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])  # changes no row, takes a number
    delete("docs", "zz")
    state = indexes.index_state(name="docs")
    replica = Replica(state)

    replica.catch_up(state)

    assert replica.applied_seq == state.last_seq == 3
    assert len(replica.graph) == 1


def test_threads_that_search_at_once_apply_each_change_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=4)
    add_rows("docs", random_rows(100, 4))
    applied: list[int] = []
    apply = SearchGraph.apply

    def count(self: SearchGraph, changes: Changes) -> None:
        applied.extend(changes.labels)
        apply(self, changes)

    monkeypatch.setattr(SearchGraph, "apply", count)
    state = indexes.index_state(name="docs")
    barrier = threading.Barrier(4)

    def search() -> None:
        barrier.wait(10)
        replicas.current(state)
        connection.close()

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(applied) == list(range(1, 101))


def test_a_graph_behind_the_tombstone_floor_loads_anew() -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}, {"id": "b", "vector": [0, 1, 0]}])
    state = indexes.index_state(name="docs")
    replica = Replica(state)
    replica.catch_up(state)
    delete("docs", "a")
    # Purged: the row that would have told the graph is gone.
    VectorItem.objects.filter(key="a").delete()
    IndexHead.objects.update(tombstone_floor=3)
    state = indexes.index_state(name="docs")

    replica.catch_up(state)

    assert len(replica.graph) == 1


def test_the_least_recently_used_graph_leaves_when_memory_is_short(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LAKEHOUSE_VECTOR_MEMORY_MB = 1
    caplog.set_level(logging.INFO, "vectors.replicas")
    data = random_rows(400, 256)
    for name in ("a", "b", "c"):
        make_index(name, dimension=256)
        add_rows(name, data)

    for name in ("a", "b", "a", "c"):
        assert found_keys(name, data[7], k=1) == ["i000007"]

    dropped = [record.index for record in caplog.records if record.message == "index dropped from memory"]  # type: ignore[attr-defined]
    assert dropped == ["b"]
    assert replicas.size_bytes() <= 1024 * 1024
    assert found_keys("b", data[8], k=1) == ["i000008"]


def test_one_index_beyond_the_budget_is_served_with_a_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LAKEHOUSE_VECTOR_MEMORY_MB = 1
    data = random_rows(2_000, 256)
    make_index(dimension=256)
    add_rows("docs", data)

    assert found_keys("docs", data[7], k=1) == ["i000007"]
    assert "LAKEHOUSE_VECTOR_MEMORY_MB" in caplog.text


def test_an_index_that_cannot_be_loaded_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = make_index("good"), make_index("bad")
    for name in ("good", "bad"):
        add(name, [{"id": "a", "vector": [1, 0, 0]}])
    read = rows.changes_after

    def fail_for_one(index_id: object, *arguments: object, **options: object) -> object:
        if index_id == bad.id:
            raise MemoryError
        return read(index_id, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("vectors.rows.changes_after", fail_for_one)

    with pytest.raises(MemoryError):
        find("bad", [1, 0, 0])
    assert found_keys("good", [1, 0, 0]) == ["a"]
    monkeypatch.undo()
    assert found_keys("bad", [1, 0, 0]) == ["a"]
    assert good.id != bad.id


@pytest.mark.usefixtures("small_graphs")
def test_the_background_thread_builds_the_graph_and_follows_writes() -> None:
    make_index(dimension=8)
    data = random_rows(300, 8)
    add_rows("docs", data[:200])
    state = indexes.index_state(name="docs")
    graph = replicas.current(state)
    add_rows("docs", data[200:], start=200)

    pause = threading.Event()
    for _ in range(3_000):
        if len(graph) == 300 and not graph.has_work:
            break
        pause.wait(0.01)

    assert (len(graph), graph.has_work) == (300, False)
    assert not find("docs", data[250]).is_exact
    assert found_keys("docs", data[250], k=1) == ["i000250"]


def test_catching_up_that_fails_half_way_leaves_nothing_half_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=4)
    data = random_rows(60, 4)
    add_rows("docs", data[:40])
    replica = Replica(indexes.index_state(name="docs"))
    replica.catch_up(indexes.index_state(name="docs"))
    add_rows("docs", data[40:], start=40)
    state = indexes.index_state(name="docs")
    replace = SearchGraph._replace

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(SearchGraph, "_replace", fail)
    with pytest.raises(MemoryError):
        replica.catch_up(state)
    monkeypatch.setattr(SearchGraph, "_replace", replace)
    graph = replica.catch_up(state)

    assert len(graph) == 60
    for position in (7, 50):
        found = graph.search(data[position : position + 1], 1)
        assert found is not None
        assert position + 1 in found[0].labels.tolist()
