from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from tests.vectors.filtered_items import EVEN, ROWS, fill, graphs_preferred, item, nearest, no_background, patch
from vectors import indexes, patches, queries, search, writes
from vectors.distances import DISTANCES, Distance, measure
from vectors.filters import parse_filter
from vectors.queries import Query
from vectors.replicas import replicas

__all__ = ["graphs_preferred", "no_background"]  # fixtures

pytestmark = pytest.mark.usefixtures("vectors_db")


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (EVEN, lambda i: i % 2 == 0),
        ({"part": 2}, lambda i: i // 100 == 2),
        ({"n": {"$in": [3, 50, 333]}}, lambda i: i in (3, 50, 333)),
        ({"part": {"$ne": 0}, "$not": EVEN}, lambda i: i >= 100 and i % 2),
        ({}, lambda i: True),
        ({"n": -1}, lambda i: False),
    ],
    ids=["half", "quarter", "three", "mixed", "all", "none"],
)
@pytest.mark.usefixtures("graphs_preferred")
def test_the_nearest_that_pass_are_found(distance: Distance, build: bool, body: dict[str, Any], passes: Any) -> None:
    fill(distance, build=build)
    chosen = [i for i in range(len(ROWS)) if passes(i)]

    for query in random_rows(6, 8, seed=9):
        for exact in (False, True):
            answer = find("docs", query, 10, filter=body, exact=exact)

            assert [hit.key for hit in answer.hits[0]] == nearest(query, chosen, 10, distance)
            assert answer.is_exact or (build and not exact)


@pytest.mark.usefixtures("graphs_preferred")
def test_neighbours_that_all_fail_do_not_shorten_the_answer() -> None:
    fill()
    order = measure(ROWS[0], ROWS, "cosine").argsort()
    far_half = sorted(order[200:].tolist())
    for start in range(0, 200, 100):
        parsed = patches.parse_patches(
            [{"id": f"{i:03}", "metadata": {"far": True}} for i in far_half[start : start + 100]]
        )
        writes.patch_items(state=indexes.index_state(name="docs"), patches=parsed, max_bytes=1_000)

    for k in (1, 10, 200, 300):
        assert found_keys("docs", ROWS[0], k, filter={"far": True}) == nearest(ROWS[0], far_half, min(k, 200))


def test_a_few_that_pass_are_measured_and_the_answer_is_exact() -> None:
    fill(build=False)

    answer = find("docs", ROWS[7], 10, filter={"n": {"$in": [7, 8]}})

    assert answer.is_exact
    assert [hit.key for hit in answer.hits[0]] == nearest(ROWS[7], [7, 8], 10)


@pytest.mark.usefixtures("graphs_preferred")
def test_many_vectors_an_id_and_a_distance_go_with_a_filter() -> None:
    fill()
    state = indexes.index_state(name="docs")
    body = {"vectors": random_rows(20, 8, seed=2).tolist(), "k": 5, "filter": EVEN}

    together = search.search_index(state=state, query=queries.parse_search(body, 8, "cosine"))
    by_id = search.search_index(state=state, query=Query(None, by_id="004", k=3, filter=parse_filter(EVEN)))

    assert together.hits == [find("docs", query, 5, filter=EVEN).hits[0] for query in body["vectors"]]
    even = [i for i in range(0, 400, 2) if i != 4]
    assert [hit.key for hit in by_id.hits[0]] == nearest(ROWS[4], even, 3)
    limit = by_id.hits[0][1].distance
    assert found_keys("docs", ROWS[4], filter=EVEN, max_distance=limit) == ["004", *nearest(ROWS[4], even, 2)]


@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.usefixtures("graphs_preferred")
def test_writes_are_seen_by_the_next_filtered_search(build: bool) -> None:
    fill(build=build)
    assert found_keys("docs", ROWS[6], 1, filter=EVEN) == ["006"]

    patch("006", even=False)
    assert "006" not in found_keys("docs", ROWS[6], 500, filter=EVEN)
    patch("007", even=True)
    assert found_keys("docs", ROWS[7], 1, filter=EVEN) == ["007"]
    add("docs", [item(8, ROWS[9] * 2)])
    assert found_keys("docs", ROWS[9], 1, filter=EVEN) == ["008"]
    delete("docs", "008")
    assert "008" not in found_keys("docs", ROWS[9], 500, filter=EVEN)
    assert len(found_keys("docs", ROWS[9], 500, filter=EVEN)) == 199


def test_a_dropped_index_is_not_found() -> None:
    fill(build=False)
    old = indexes.index_state(name="docs")
    indexes.drop_index(name="docs")
    make_index(dimension=8)
    add_rows("docs", ROWS[:30])

    for exact in (False, True):
        with pytest.raises(IndexNotFound):
            search.search_index(state=old, query=Query(ROWS[:1], filter=parse_filter(EVEN), exact=exact))


@pytest.mark.parametrize("distance", ["euclidean", "dot"])
@pytest.mark.usefixtures("graphs_preferred")
def test_enormous_and_tiny_vectors_are_filtered_right(distance: Distance) -> None:
    sizes = np.array([1e30, 1e-30, 1.0, 1.0], np.float32)
    made = ROWS[:80] * np.tile(sizes, 20)[:, None]
    make_index(dimension=8, distance=distance)
    add("docs", [item(i, made[i]) for i in range(80)])
    graph = replicas.current(indexes.index_state(name="docs"))
    while graph.move_chunk(threads=1):
        pass

    for query in made[:4]:
        far = measure(query, made[::2], distance)
        expected = [f"{2 * i:03}" for i in sorted(range(40), key=lambda i: (far[i], i))]
        assert found_keys("docs", query, 40, filter=EVEN) == expected


@pytest.mark.usefixtures("no_background")
def test_several_indexes_are_searched_with_one_filter() -> None:
    for name in ("a", "b"):
        make_index(name, dimension=1, distance="euclidean")
        add(name, [{"id": f"{name}{n}", "vector": [n], "metadata": {"odd": n % 2}} for n in range(6)])

    found, _ = search.search_indexes(
        states=search.comparable_states(names=["a", "b"]),
        query=Query(np.array([[0]], np.float32), k=3, filter=parse_filter({"odd": 1})),
    )

    assert [hit.key for _, hit in found] == ["a1", "b1", "a3"]


@pytest.mark.usefixtures("graphs_preferred")
def test_diversity_chooses_from_what_passes() -> None:
    fill()
    add("docs", [{**item(6), "id": f"copy-{i}"} for i in range(5)])

    plain = found_keys("docs", ROWS[6], 4, filter=EVEN)
    diverse = find("docs", ROWS[6], 4, filter=EVEN, mmr={"lambda": 0.4, "fetch_k": 60}).hits[0]

    assert plain == ["006", "copy-0", "copy-1", "copy-2"]
    assert diverse[0].key == "006"
    assert not [hit for hit in diverse[1:] if hit.key.startswith("copy")]
    assert all(hit.metadata and '"even":true' in hit.metadata for hit in diverse)
