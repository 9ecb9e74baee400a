"""What a process has written itself reaches its graph without being read back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, rows
from vectors.graph import SearchGraph
from vectors.replicas import replicas

pytestmark = pytest.mark.usefixtures("vectors_db")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sequence numbers from which replicas have read rows; the index is in memory before the first."""
    make_index(dimension=4)
    add_rows("docs", random_rows(30, 4), prefix="old")
    find("docs", [1, 2, 3, 4])
    seen: list[int] = []
    read = rows.changes_after

    def noted(index_id: object, seq: int, limit: int, **options: int) -> object:
        seen.append(seq)
        return read(index_id, seq, limit, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rows, "changes_after", noted)
    return seen


@pytest.mark.usefixtures("small_graphs")
def test_added_changed_and_revived_items_are_found_without_reading_them(reads: list[int]) -> None:
    fresh = random_rows(50, 4, seed=2)
    add_rows("docs", fresh, prefix="new")
    delete("docs", "old000001")
    find("docs", fresh[0])  # reads the tombstone
    del reads[:]
    add("docs", [{"id": "old000001", "vector": [9, 0, 0, 1]}, {"id": "old000002", "vector": [0, 9, 0, 1]}])
    add("docs", [{"id": "new000003", "vector": fresh[3].tolist()}, {"id": "last", "vector": [0, 0, 9, 1]}])

    assert [found_keys("docs", row, 1) for row in fresh] == [[f"new{i:06}"] for i in range(50)]
    assert found_keys("docs", [9, 0, 0, 1], 1) == ["old000001"]
    assert found_keys("docs", [0, 9, 0, 1], 1) == ["old000002"]
    assert found_keys("docs", [0, 0, 9, 1], 1) == ["last"]
    assert len(find("docs", [1, 1, 1, 1], 1000).hits[0]) == 81
    assert reads == []


def test_a_write_of_another_process_in_between_is_read(reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(replicas, "is_loaded", lambda index_id: False)
        elsewhere.setattr(replicas, "written", lambda index_id: None)
        add("docs", [{"id": "theirs", "vector": [0, 0, 0, 5]}])
    add("docs", [{"id": "ours", "vector": [0, 0, 5, 0]}])

    assert found_keys("docs", [0, 0, 0, 1], 1) == ["theirs"]
    assert found_keys("docs", [0, 0, 1, 0], 1) == ["ours"]
    assert reads[0] == 30


def test_a_write_is_answered_although_the_graph_cannot_take_it(
    reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: SearchGraph, changes: object) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(SearchGraph, "apply", fail)
        broken.setattr(replicas, "written", lambda index_id: None)
        added = add("docs", [{"id": "new", "vector": [0, 0, 0, 5]}])

    assert (added.added, added.seq) == (1, 31)
    assert found_keys("docs", [0, 0, 0, 1], 1) == ["new"]
    assert len(find("docs", [1, 1, 1, 1], 1000).hits[0]) == 31


def test_writers_side_by_side_leave_a_graph_that_agrees_with_the_rows(reads: list[int]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def write(turn: int) -> None:
        try:
            add_rows("docs", random_rows(20, 4, seed=turn), prefix="same", start=turn % 3)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(24)))

    graph = replicas.current(indexes.index_state(name="docs"))
    state = indexes.index_state(name="docs")
    assert sorted(graph.labels()) == sorted(rows.live_labels(state.id).values())
    query = np.ones(4, np.float32)
    assert find("docs", query, 100).hits == find("docs", query, 100, exact=True).hits
