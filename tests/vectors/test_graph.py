from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.factories import random_rows
from vectors.distances import DISTANCES, Distance
from vectors.graph import SearchGraph
from vectors.graph_types import Changes, GraphParams


def graph_of(dimension: int = 4, distance: Distance = "euclidean", graph_min_items: int = 20) -> SearchGraph:
    return SearchGraph(GraphParams(dimension, distance, 16, 100, 64), graph_min_items)


Row = tuple[int, int, bool, bytes]


def put(row: int, label: int, vector: NDArray[np.float32]) -> Row:
    return row, label, False, vector.astype("<f4").tobytes()


def gone(row: int, label: int) -> Row:
    return row, label, True, b""


def changes(rows: Sequence[Row]) -> Changes:
    ids, found, deleted, vectors = zip(*rows, strict=True)
    return Changes(ids, 0, found, deleted, b"".join(vectors))


def labels(graph: SearchGraph, query: NDArray[np.float32], k: int = 1) -> set[int]:
    found = graph.search(query.reshape(1, -1), k)
    assert found is not None
    return set(found[0].labels.tolist())


def finish(graph: SearchGraph) -> None:
    while graph.move_chunk(threads=2):
        pass


def test_rows_are_found_in_the_tail_during_the_move_and_in_the_graph() -> None:
    rows = random_rows(200, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))

    while True:
        for i, row in enumerate(rows):
            assert i + 1 in labels(graph, row)
        if not graph.move_chunk(threads=1):
            break

    found = graph.search(rows[:1], 1)
    assert found is not None
    assert not found[0].is_exact


def test_an_index_below_the_limit_stays_exact() -> None:
    graph = graph_of(graph_min_items=20)
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(random_rows(20, 4))]))

    assert not graph.has_work
    found = graph.search(random_rows(1, 4), 3)
    assert found is not None
    assert found[0].is_exact


@pytest.mark.parametrize("moved_first", [False, True])
def test_an_updated_row_is_found_only_at_its_new_place(moved_first: bool) -> None:
    rows = random_rows(50, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    if moved_first:
        finish(graph)

    graph.apply(changes([put(7, 51, rows[7] + 100)]))

    assert 8 not in labels(graph, rows[7], k=50)
    assert 51 in labels(graph, rows[7] + 100)
    assert len(graph) == 50


@pytest.mark.parametrize("moved_first", [False, True])
def test_a_deleted_row_is_not_found(moved_first: bool) -> None:
    rows = random_rows(50, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    if moved_first:
        finish(graph)

    graph.apply(changes([gone(7, 8), gone(99, 40)]))  # the second was never seen alive

    assert 8 not in labels(graph, rows[7], k=50)
    assert len(graph) == 49


def test_a_metadata_change_moves_nothing() -> None:
    rows = random_rows(50, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    finish(graph)

    graph.apply(changes([put(7, 8, rows[7])]))

    assert not graph.has_work
    assert 8 in labels(graph, rows[7])


def test_a_graph_of_mostly_tombstones_is_rebuilt_while_it_answers() -> None:
    rows = random_rows(100, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    finish(graph)
    before = graph.size_bytes

    graph.apply(changes([gone(i, i + 1) for i in range(60)]))
    assert graph.has_work
    while graph.move_chunk(threads=1):
        for i in range(60, 100):
            assert i + 1 in labels(graph, rows[i])
        assert not labels(graph, rows[0], k=100) & set(range(1, 61))

    for i in range(60, 100):
        assert i + 1 in labels(graph, rows[i])
    assert graph.size_bytes < before / 2


def test_changes_during_a_rebuild_reach_the_right_graph() -> None:
    rows = random_rows(100, 4)
    graph = graph_of()
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    finish(graph)
    graph.apply(changes([gone(i, i + 1) for i in range(50)]))
    graph.move_chunk(threads=1, seconds=0)  # some of the survivors have moved, some have not

    graph.apply(changes([gone(i, i + 1) for i in range(50, 90)]))
    graph.apply(changes([put(95, 300, rows[95] + 50)]))
    finish(graph)

    assert labels(graph, rows[0], k=100) == {91, 92, 93, 94, 95, 97, 98, 99, 100, 300}


@pytest.mark.parametrize("distance", DISTANCES)
def test_rows_and_queries_beyond_float32_arithmetic_are_not_lost(distance: Distance) -> None:
    rows = random_rows(60, 4)
    rows[3] *= 1e30
    rows[4] *= 1e-30
    graph = graph_of(distance=distance)
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows)]))
    finish(graph)

    assert {4, 5} <= labels(graph, rows[0], k=60)
    huge = graph.search(rows[3:4], 1)
    # Cosine scales it to unit length; the others leave it to a search of the rows in float64.
    assert (huge is None) == (distance != "cosine")


def test_searches_beside_changes_and_moves_see_every_settled_row() -> None:
    rows = random_rows(2_000, 8)
    graph = graph_of(dimension=8)
    graph.apply(changes([put(i, i + 1, row) for i, row in enumerate(rows[:500])]))
    failures: list[int] = []
    done = threading.Event()

    def search() -> None:
        generator = np.random.default_rng(1)
        while not done.is_set():
            i = int(generator.integers(500))
            if i + 1 not in labels(graph, rows[i], k=3):
                failures.append(i)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(500, 2_000, 50):
        graph.apply(changes([put(i, i + 1, rows[i]) for i in range(start, start + 50)]))
        graph.move_chunk(threads=1)
    finish(graph)
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []
