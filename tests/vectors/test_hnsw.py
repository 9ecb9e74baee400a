from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lakehouse_site.errors import DamagedFile
from tests.factories import random_rows
from vectors.distances import Distance, measure, prepare
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


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
def test_a_graph_that_is_loaded_answers_as_the_one_that_was_saved(tmp_path: Path, distance: Distance) -> None:
    rows = random_rows(400, 8)
    saved = HnswGraph(8, distance, 8, 60, 30)
    saved.add(np.arange(400), rows, threads=1)
    saved.remove(np.arange(0, 100, 2))
    saved.save(tmp_path / "graph")

    loaded = HnswGraph(8, distance, 8, 60, 30)
    loaded.load(tmp_path / "graph")

    assert (len(loaded), loaded.tombstones) == (350, 50)
    assert loaded.live_labels() == saved.live_labels()
    before, after = (graph.search(rows, 7, threads=1) for graph in (saved, loaded))
    assert before is not None
    assert after is not None
    assert [near.tolist() for near in after] == [near.tolist() for near in before]


def test_a_graph_that_is_loaded_goes_on_growing(tmp_path: Path) -> None:
    rows = random_rows(INITIAL_CAPACITY + 200, 4)
    graph_of(rows[:100]).save(tmp_path / "graph")
    loaded = HnswGraph(4, "euclidean", 16, 100, 64)
    loaded.load(tmp_path / "graph")

    loaded.add(np.arange(100, len(rows)), rows[100:], threads=1)
    loaded.remove(np.array([5]))

    assert len(loaded) == len(rows) - 1
    for i in (0, 99, 100, len(rows) - 1):
        assert loaded.search(rows[i : i + 1], 1, threads=1)[0].tolist() == [i]  # type: ignore[index]


def test_equal_vectors_are_known_after_loading(tmp_path: Path) -> None:
    rows = np.repeat(random_rows(1, 4), 40, axis=0)
    saved = graph_of(rows)
    saved.remove(np.array([3]))
    saved.save(tmp_path / "graph")
    loaded = HnswGraph(4, "euclidean", 16, 100, 64)
    loaded.load(tmp_path / "graph")

    assert sorted(loaded.search(rows[:1], 2, threads=1)[0].tolist()) == [i for i in range(40) if i != 3]  # type: ignore[index]


def test_a_full_disk_is_noticed() -> None:
    with pytest.raises(OSError, match="Only 0 of"):
        graph_of(random_rows(50, 4)).save(Path("/dev/full"))


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        graph_of(random_rows(50, 4)).save(tmp_path / "nowhere" / "graph")


def test_a_graph_that_hnswlib_refuses_changes_nothing(tmp_path: Path) -> None:
    rows = random_rows(50, 4)
    graph = graph_of(rows)
    graph.save(tmp_path / "graph")
    data = (tmp_path / "graph").read_bytes()
    (tmp_path / "graph").write_bytes(data[:-2])

    with pytest.raises(DamagedFile):
        graph.load(tmp_path / "graph")

    assert graph.search(rows[7:8], 1, threads=1)[0].tolist() == [7]  # type: ignore[index]


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "dot"])
def test_the_closest_other_row_is_about_as_far_as_it_is_measured(distance: Distance) -> None:
    rows = prepare(random_rows(200, 6), distance)
    rows[7] = rows[8]
    graph = HnswGraph(6, distance, 16, 100, 200)
    graph.add(np.arange(1, 201), rows, threads=1)
    graph.remove(np.array([1, 2]))

    found = graph.closest_other(rows[2:], np.arange(3, 201), threads=1)

    far = np.array([measure(row, rows[2:], distance) for row in rows[2:]])
    if distance == "dot":  # a row may be farther from itself than from others
        np.fill_diagonal(far, np.inf)
        is_right = np.isclose(found, far.min(axis=1), atol=1e-5)
        assert is_right.mean() > 0.9
    else:
        np.fill_diagonal(far, np.inf)
        assert found == pytest.approx(far.min(axis=1), abs=1e-3)


def test_a_row_that_is_alone_has_no_other() -> None:
    rows = random_rows(2, 3)
    graph = graph_of(rows)

    graph.remove(np.array([1]))

    assert graph.closest_other(rows[:1], np.array([0]), threads=1).tolist() == [np.inf]
    graph.remove(np.array([0]))
    assert graph.closest_other(rows[:1], np.array([0]), threads=1).tolist() == [np.inf]
