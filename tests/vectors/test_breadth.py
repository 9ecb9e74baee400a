from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.factories import random_rows
from vectors import breadth
from vectors.breadth import breadth_for, is_few, near_among
from vectors.distances import Float32Rows, measure
from vectors.hnsw import HnswGraph
from vectors.tail import Labels

ROWS = random_rows(3_000, 6)
NOTHING = np.empty(0, np.int64)


def graph_of(rows: Float32Rows, first_label: int = 1) -> HnswGraph:
    graph = HnswGraph(6, "euclidean", m=16, ef_construction=200, ef_search=64)
    graph.add(np.arange(first_label, first_label + len(rows)), rows, threads=1)
    return graph


@pytest.fixture(scope="module")
def graph() -> HnswGraph:
    return graph_of(ROWS)


def nearest(query: Float32Rows, allowed: Labels, k: int) -> list[int]:
    return [int(label) for label in allowed[measure(query, ROWS[allowed - 1], "euclidean").argsort()[:k]]]


def near(graphs: list[HnswGraph], queries: Float32Rows, k: int, allowed: Labels) -> Any:
    return near_among(graphs, queries, k, allowed, len(allowed), 1)


@pytest.mark.parametrize("every", [2, 5, 20])
def test_the_nearest_that_pass_are_among_what_is_found(
    graph: HnswGraph, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breadth, "ROW_MICROSECONDS", 1e6)  # never measure all
    allowed = np.arange(1, 3_001, every)
    queries = random_rows(20, 6, seed=3)

    (found,) = near([graph], queries, 10, allowed)

    true = [set(nearest(query, allowed, 10)) for query in queries]
    assert all(set(labels.tolist()) <= set(allowed.tolist()) for labels in found)
    assert sum(len(one & set(labels.tolist())) for one, labels in zip(true, found, strict=True)) >= 0.98 * 200


def test_neighbours_that_all_fail_make_it_look_further(graph: HnswGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breadth, "ROW_MICROSECONDS", 1e6)
    query = ROWS[:1]
    # The half that is farther away from the query than the rest.
    allowed = np.sort(measure(query[0], ROWS, "euclidean").argsort()[1_500:] + 1)

    (found,) = near([graph], query, 10, allowed)

    assert set(nearest(query[0], allowed, 10)) <= set(found[0].tolist())


def test_looking_further_ends_where_measuring_all_is_cheaper(graph: HnswGraph) -> None:
    allowed = np.sort(measure(ROWS[0], ROWS, "euclidean").argsort()[-300:] + 1)

    assert near([graph], ROWS[:1], 10, allowed) == [None]


def test_fewer_than_k_that_pass_are_all_found(graph: HnswGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breadth, "ROW_MICROSECONDS", 1e6)
    allowed = np.array([7, 1_500, 2_999])

    (found,) = near([graph], ROWS[:2], 10, allowed)

    assert [sorted(labels.tolist()) for labels in found] == [[7, 1_500, 2_999]] * 2


def test_each_of_two_graphs_is_searched_until_it_has_enough_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # One graph drains into another: its far items must not stand for the near ones of the other.
    monkeypatch.setattr(breadth, "ROW_MICROSECONDS", 1e6)
    query = np.zeros((1, 6), np.float32)
    fails = graph_of(random_rows(800, 6) * np.float32(0.01))
    near_rows = random_rows(200, 6, seed=5) + np.float32(3)
    fails.add(np.arange(801, 1_001), near_rows, threads=1)
    far_away = graph_of(random_rows(100, 6, seed=6) + np.float32(50), first_label=2_001)
    allowed = np.concatenate((np.arange(801, 1_001), np.arange(2_001, 2_101)))

    found = near([fails, far_away], query, 10, allowed)

    true = set((np.linalg.norm(near_rows, axis=1).argsort()[:10] + 801).tolist())
    assert true <= set(found[0][0].tolist())


def test_an_equal_vector_that_the_graph_misses_is_found_behind_k_others(
    graph: HnswGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels_of = graph.search

    def search(queries: Float32Rows, k: int, threads: int) -> list[Labels]:
        found = labels_of(queries, k, threads) or []
        # As if hnswlib had not reached it: it comes from the fingerprints, after what was asked for.
        return [np.append(near[near != 42], [1, 42])[-k - 1 :] for near in found]

    monkeypatch.setattr(graph, "search", search)

    (found,) = near([graph], ROWS[41:42], 3, np.arange(1, 3_001))

    assert 42 in found[0]
    assert len(found[0]) <= 3 + 1


def test_a_batch_asks_again_only_for_the_queries_that_lack_some(
    graph: HnswGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breadth, "ROW_MICROSECONDS", 1e6)
    order = measure(ROWS[0], ROWS, "euclidean").argsort()
    allowed = np.sort(order[1_500:] + 1)
    asked = []
    search = graph.search

    def count(queries: Float32Rows, k: int, threads: int) -> list[Labels] | None:
        asked.append(len(queries))
        return search(queries, k, threads)

    monkeypatch.setattr(graph, "search", count)
    near([graph], np.concatenate((ROWS[:1], ROWS[order[-4:]])), 10, allowed)

    assert asked[0] == 5
    assert set(asked[1:]) == {1}


def test_nothing_that_passes_or_no_graph_is_nothing_to_search(graph: HnswGraph) -> None:
    assert near([graph], ROWS[:1], 10, NOTHING) == []
    assert near([], ROWS[:1], 10, np.array([1])) == []
    assert near_among([graph], ROWS[:1], 10, np.array([9_999]), 0, 1) == []


def test_a_graph_that_cannot_answer_leaves_it_to_the_rows(graph: HnswGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "search", lambda *_: None)

    assert near([graph], ROWS[:1], 10, np.arange(1, 3_001)) == [None]


def test_the_fewer_pass_the_more_neighbours_are_asked_for_until_measuring_all_is_cheaper() -> None:
    breadths = [breadth_for(10, 1_000_000, count) for count in (1_000_000, 100_000, 10_000, 1_000)]

    assert breadths == sorted(breadths)
    assert breadths[0] > 10
    assert is_few(100, 1_000_000, 10, 1)
    assert not is_few(500_000, 1_000_000, 10, 1)
    assert is_few(0, 0, 10, 1)
    assert is_few(10_000, 1_000_000, 10, 100)  # one look at 10,000 rows serves 100 queries
