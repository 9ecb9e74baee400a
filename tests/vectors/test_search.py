from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from django.db import connection

from lakehouse_site.errors import IndexNotFound, InvalidInput, ItemNotFound
from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, rows, search
from vectors.distances import DISTANCES, Distance, measure
from vectors.queries import Query
from vectors.replicas import replicas
from vectors.search import Answer

pytestmark = pytest.mark.usefixtures("vectors_db")

WORKED = {"cosine": [0.0, 0.292893218813, 1.0], "euclidean": [0.0, 1.0, 5**0.5], "dot": [-1.0, -1.0, -0.0]}


def build_graph(name: str) -> None:
    """Move everything that waits in the tail into the graph."""
    graph = replicas.current(indexes.index_state(name=name))
    while graph.move_chunk(threads=2):
        pass


@pytest.fixture
def no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave moving rows into graphs to the test."""
    monkeypatch.setattr("vectors.replicas.Replicas._start", lambda self: None)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_the_documented_ones_and_ascend(distance: Distance) -> None:
    make_index(dimension=2, distance=distance)
    add("docs", [{"id": "a", "vector": [1, 0]}, {"id": "b", "vector": [1, 1]}, {"id": "c", "vector": [0, 2]}])

    hits = find("docs", [1, 0]).hits[0]

    assert [hit.key for hit in hits] == ["a", "b", "c"]
    assert [hit.distance for hit in hits] == pytest.approx(WORKED[distance], abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.usefixtures("no_background", "small_graphs")
def test_distances_are_the_same_in_the_tail_in_the_graph_and_by_exact_search(distance: Distance) -> None:
    rows = random_rows(200, 8)
    make_index(dimension=8, distance=distance)
    add_rows("docs", rows)
    queries = random_rows(5, 8, seed=3)

    tail = [find("docs", query).hits for query in queries]
    build_graph("docs")
    graph = [find("docs", query) for query in queries]
    exact = [find("docs", query, exact=True) for query in queries]

    assert [answer.hits for answer in graph] == tail == [answer.hits for answer in exact]
    assert not any(answer.is_exact for answer in graph)
    assert all(answer.is_exact for answer in exact)
    expected = sorted(measure(queries[0], rows, distance).tolist())[:10]
    assert [hit.distance for hit in tail[0][0]] == expected


def test_ties_are_ordered_by_id_even_where_k_cuts_through_them() -> None:
    make_index()
    keys = [f"k{number:02}" for number in range(40)]
    add("docs", [{"id": key, "vector": [1, 2, 3]} for key in reversed(keys)])

    assert found_keys("docs", [1, 2, 3], k=7) == keys[:7]
    assert found_keys("docs", [1, 2, 3], k=7, exact=True) == keys[:7]


def test_parallel_vectors_of_any_length_tie_under_cosine() -> None:
    make_index()
    add("docs", [{"id": f"k{i}", "vector": [0.1 * i, 0.2 * i, 0.3 * i]} for i in range(9, 0, -1)])

    hits = find("docs", [1, 2, 3], k=9).hits[0]

    assert [hit.key for hit in hits] == [f"k{i}" for i in range(1, 10)]
    assert {hit.distance for hit in hits} == {0.0}


def test_k_beyond_the_number_of_items_returns_all_of_them() -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])

    assert found_keys("docs", [1, 2, 3], k=1000) == ["a"]


def test_an_empty_index_answers_with_nothing() -> None:
    make_index()

    assert find("docs", [1, 2, 3]) == Answer([[]], True, 0)


def test_a_search_by_id_leaves_the_item_itself_out() -> None:
    make_index()
    add("docs", [{"id": key, "vector": [1, number, 0]} for number, key in enumerate("abcd")])
    state = indexes.index_state(name="docs")

    answer = search.search_index(state=state, query=Query(None, by_id="a", k=2))

    assert [hit.key for hit in answer.hits[0]] == ["b", "c"]
    with pytest.raises(ItemNotFound, match="'zz'"):
        search.search_index(state=state, query=Query(None, by_id="zz"))


def test_max_distance_cuts_and_includes_its_own_value() -> None:
    make_index(dimension=1, distance="euclidean")
    add("docs", [{"id": str(i), "vector": [i]} for i in range(5)])

    assert found_keys("docs", [0], max_distance=2) == ["0", "1", "2"]
    assert found_keys("docs", [0], max_distance=-1) == []


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.usefixtures("no_background", "small_graphs")
def test_many_vectors_in_one_call_get_the_answers_they_get_alone(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vectors.search.LABELS_PER_READ", 50)
    make_index(dimension=8)
    add_rows("docs", random_rows(300, 8))
    find("docs", random_rows(1, 8)[0])
    build_graph("docs")
    queries = random_rows(30, 8, seed=5)

    together = search.search_index(
        state=indexes.index_state(name="docs"), query=Query(queries, is_batch=True, exact=exact)
    )

    assert together.hits == [find("docs", query, exact=exact).hits[0] for query in queries]


@pytest.mark.usefixtures("no_background", "small_graphs")
@pytest.mark.parametrize("built", [False, True])
def test_a_write_by_another_process_is_seen_by_the_next_search(built: bool) -> None:
    make_index(dimension=8)
    rows = random_rows(60, 8)
    keys = add_rows("docs", rows)
    find("docs", rows[0])
    if built:
        build_graph("docs")
    # Behind the back of this process's graphs, as another process would.
    moved = rows[0] + 10
    quiet = pytest.MonkeyPatch()
    quiet.setattr("vectors.replicas.Replicas.written", lambda self, index_id: None)
    add("docs", [{"id": keys[0], "vector": moved.tolist()}, {"id": "new", "vector": (rows[1] * 50).tolist()}])
    delete("docs", keys[2])
    quiet.undo()

    assert found_keys("docs", moved, k=1) == [keys[0]]
    assert "new" in found_keys("docs", rows[1], k=2)
    assert keys[2] not in found_keys("docs", rows[2], k=100)
    hits = {hit.key: hit.distance for hit in find("docs", rows[0], k=100).hits[0]}
    assert hits[keys[0]] == pytest.approx(float(measure(rows[0], moved[None], "cosine")[0]))


@pytest.mark.usefixtures("no_background", "small_graphs")
def test_a_hit_that_changes_between_graph_and_rows_is_refilled(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=2, distance="euclidean")
    add("docs", [{"id": f"{i:02}", "vector": [i, 0]} for i in range(50)])
    find("docs", [0, 0])
    build_graph("docs")
    read_hits, changes = rows.hits, [("01", [1000, 0]), ("00", None)]

    def change_then_read(*arguments: Any) -> object:
        if changes:
            key, vector = changes.pop()
            delete("docs", key) if vector is None else add("docs", [{"id": key, "vector": vector}])
        return read_hits(*arguments)

    monkeypatch.setattr("vectors.search.rows.hits", change_then_read)
    answer = find("docs", [0, 0], k=3)

    assert [hit.key for hit in answer.hits[0]] == ["02", "03", "04"]
    assert answer.seq == indexes.index_state(name="docs").last_seq


@pytest.mark.usefixtures("no_background")
def test_an_item_that_changes_at_every_try_is_found_by_reading_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=2, distance="euclidean")
    add("docs", [{"id": f"{i:02}", "vector": [i, 0]} for i in range(10)])
    read_hits, turns = rows.hits, iter(range(1, 100))

    def change_then_read(*arguments: Any) -> object:
        add("docs", [{"id": "00", "vector": [0, next(turns) / 1000]}])
        return read_hits(*arguments)

    monkeypatch.setattr("vectors.search.rows.hits", change_then_read)

    assert found_keys("docs", [0, 0], k=2) == ["00", "01"]


def test_searching_with_a_state_of_a_dropped_index_finds_nothing_of_its_successor() -> None:
    make_index(dimension=2)
    add("docs", [{"id": "old", "vector": [1, 0]}])
    old = indexes.index_state(name="docs")
    find("docs", [1, 0])
    indexes.drop_index(name="docs")
    make_index(dimension=2)
    add("docs", [{"id": "new", "vector": [1, 0]}])

    for exact in (False, True):
        with pytest.raises(IndexNotFound):
            search.search_index(state=old, query=Query(np.array([[1, 0]], np.float32), exact=exact))


def test_several_indexes_are_searched_as_one() -> None:
    for name, numbers in (("a", [1, 4]), ("b", [2, 3])):
        make_index(name, dimension=1, distance="euclidean")
        add(name, [{"id": f"{name}{number}", "vector": [number]} for number in numbers])
    add("b", [{"id": "a1", "vector": [1]}])

    found, is_exact = search.search_indexes(
        states=search.comparable_states(names=["b", "a"]), query=Query(np.array([[0]], np.float32), k=4)
    )

    assert [(name, hit.key) for name, hit in found] == [("a", "a1"), ("b", "a1"), ("b", "b2"), ("b", "b3")]
    assert is_exact


@pytest.mark.parametrize(
    ("other", "code"), [({"dimension": 4}, "dimension_mismatch"), ({"distance": "dot"}, "distance_mismatch")]
)
def test_indexes_that_cannot_be_compared_are_refused(other: dict[str, object], code: str) -> None:
    make_index("a")
    make_index("b", **other)  # type: ignore[arg-type]

    with pytest.raises(InvalidInput) as caught:
        search.comparable_states(names=["a", "b"])

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/indexes/1", code)]


@pytest.mark.parametrize("distance", ["euclidean", "dot"])
@pytest.mark.usefixtures("no_background", "small_graphs")
def test_enormous_and_tiny_vectors_are_searched_right(distance: Distance) -> None:
    rows = random_rows(60, 4)
    rows[:5] *= 1e30
    rows[5:10] *= 1e-30
    make_index(dimension=4, distance=distance)
    keys = add_rows("docs", rows)
    find("docs", rows[20])
    build_graph("docs")

    for query in (rows[0], rows[5], rows[20]):
        distances = measure(query, rows, distance)
        nearest = [keys[i] for i in sorted(range(60), key=lambda i: (distances[i], keys[i]))]
        assert found_keys("docs", query, k=60) == nearest


@pytest.mark.usefixtures("small_graphs")
def test_searches_beside_writes_always_find_what_was_settled() -> None:
    rows = random_rows(400, 8)
    make_index(dimension=8)
    keys = add_rows("docs", rows[:100])
    failures: list[object] = []
    done = threading.Event()

    def search_until_done(seed: int) -> None:
        generator = np.random.default_rng(seed)
        try:
            while not done.is_set():
                i = int(generator.integers(100))
                if found_keys("docs", rows[i], k=1) != [keys[i]]:
                    failures.append(keys[i])
        except Exception as error:  # noqa: BLE001  it would be lost in the thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=search_until_done, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for start in range(100, 400, 20):
        add_rows("docs", rows[start : start + 20], start=start)
        delete("docs", *[f"i{number:06d}" for number in range(start, start + 10)])
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []
