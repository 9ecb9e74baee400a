from __future__ import annotations

import numpy as np

from tests.factories import random_rows
from vectors.hnsw import INITIAL_CAPACITY, HnswGraph


def graph_of(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], **params: int) -> HnswGraph:
    graph = HnswGraph(rows.shape[1], "euclidean", params.get("m", 16), 100, params.get("ef_search", 64))
    graph.add(np.arange(len(rows)), rows, threads=1)
    return graph


def test_capacity_grows_past_the_first_allocation() -> None:
    rows = random_rows(INITIAL_CAPACITY * 2 + 1, 4)

    graph = graph_of(rows)

    assert len(graph) == len(rows)
    assert graph.search(rows[-1:], 1, threads=1)[0].tolist() == [len(rows) - 1]  # type: ignore[index]


def test_asking_for_more_than_there_is_returns_all() -> None:
    graph = graph_of(random_rows(5, 4))

    assert sorted(graph.search(random_rows(1, 4), 50, threads=1)[0].tolist()) == [0, 1, 2, 3, 4]  # type: ignore[index]


def test_removed_labels_are_never_found_again() -> None:
    rows = random_rows(300, 4)
    graph = graph_of(rows)

    graph.remove(np.arange(0, 300, 2))
    found = graph.search(rows, 20, threads=2)

    assert found is not None
    assert all(label % 2 for near in found for label in near.tolist())
    assert (len(graph), graph.tombstones) == (150, 150)


def test_search_in_an_empty_graph_finds_nothing() -> None:
    graph = graph_of(random_rows(3, 4))
    graph.remove(np.arange(3))

    assert graph.search(random_rows(2, 4), 5, threads=1)[1].tolist() == []  # type: ignore[index]


def test_every_stored_vector_finds_itself_even_in_a_graph_too_sparse_to_reach_it() -> None:
    rows = random_rows(4_000, 32)
    graph = graph_of(rows, m=2, ef_search=1)

    found = graph.search(rows, 1, threads=2)

    assert found is not None
    assert [label for label, near in enumerate(found) if label not in near.tolist()] == []
    assert sum(near[0] != label for label, near in enumerate(found)) > 0  # the graph alone misses some


def test_vectors_come_back_as_they_were_added() -> None:
    rows = random_rows(50, 4)
    graph = graph_of(rows)
    graph.remove(np.array([7]))

    assert graph.live_labels() == set(range(50)) - {7}
    assert (graph.vectors(np.array([3, 9])) == rows[[3, 9]]).all()
