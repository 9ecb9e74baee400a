from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db import connection

from tests.factories import add, delete, find, found_keys, make_index
from tests.vectors.filtered_items import EVEN, ROWS, fill, graphs_preferred, item, nearest, no_background, patch
from vectors import filtered, indexes, rows, search
from vectors.filters import parse_filter
from vectors.graph import SearchGraph
from vectors.queries import Query
from vectors.replicas import replicas

__all__ = ["graphs_preferred", "no_background"]  # fixtures

pytestmark = pytest.mark.usefixtures("vectors_db")


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is put in here is done between the look at the filter and the look at the graph, one at each search."""
    waiting: list[Any] = []
    look = SearchGraph.search

    def search_after(self: SearchGraph, *arguments: Any) -> Any:
        if waiting:
            waiting.pop()()
            replicas.current(indexes.index_state(name="docs"))  # the graph follows, as when another thread searches
        return look(self, *arguments)

    monkeypatch.setattr(SearchGraph, "search", search_after)
    yield waiting
    assert waiting == []


@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.usefixtures("graphs_preferred")
def test_an_item_whose_vector_changes_between_filter_and_graph_is_not_lost(build: bool, interrupted: list[Any]) -> None:
    fill(build=build)
    interrupted.append(lambda: add("docs", [item(6, ROWS[6] * 3)]))

    answer = find("docs", ROWS[6], 3, filter=EVEN)

    assert answer.hits[0][0].key == "006"
    assert [hit.key for hit in answer.hits[0]] == nearest(ROWS[6], list(range(0, 400, 2)), 3)
    assert answer.seq == indexes.index_state(name="docs").last_seq


@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.usefixtures("graphs_preferred")
def test_a_filter_that_is_ahead_of_the_graph_takes_it_along(build: bool) -> None:
    fill(build=build)
    before = indexes.index_state(name="docs")
    add("docs", [item(6, ROWS[6] * 3)])
    replicas.matching(indexes.index_state(name="docs"), parse_filter(EVEN))  # another thread's

    answer = search.search_index(state=before, query=Query(ROWS[6:7], k=3, filter=parse_filter(EVEN)))

    assert [hit.key for hit in answer.hits[0]] == nearest(ROWS[6], list(range(0, 400, 2)), 3)


@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.usefixtures("graphs_preferred")
def test_items_that_cease_to_pass_between_filter_and_graph_leave_room_for_others(
    build: bool, interrupted: list[Any]
) -> None:
    fill(build=build)
    even = list(range(0, 400, 2))
    first = nearest(ROWS[6], even, 12)

    def change() -> None:
        delete("docs", *first[:5])
        for key in first[5:10]:
            patch(key, even=False)

    interrupted.append(change)

    gone = {int(key) for key in first[:10]}
    assert found_keys("docs", ROWS[6], 4, filter=EVEN) == nearest(ROWS[6], [i for i in even if i not in gone], 4)


@pytest.mark.usefixtures("graphs_preferred")
def test_too_many_changes_in_between_begin_the_search_anew(
    interrupted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtered, "MAX_CHANGED", 3)
    fill()
    interrupted.append(lambda: add("docs", [item(i, ROWS[i] * 3) for i in range(0, 20, 2)]))

    assert found_keys("docs", ROWS[6], 3, filter=EVEN) == nearest(ROWS[6], list(range(0, 400, 2)), 3)


@pytest.mark.usefixtures("no_background")
def test_hits_that_change_at_every_try_are_found_by_reading_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=2, distance="euclidean")
    add("docs", [{"id": f"{i:02}", "vector": [i, 0], "metadata": {"n": i % 2}} for i in range(10)])
    read_hits, turns = rows.hits, iter(range(1, 100))

    def change_then_read(*arguments: Any) -> object:
        add("docs", [{"id": "00", "vector": [0, next(turns) / 1000]}])
        return read_hits(*arguments)

    monkeypatch.setattr("vectors.search.rows.hits", change_then_read)

    assert found_keys("docs", [0, 0], k=2, filter={"n": 0}) == ["00", "02"]


@pytest.mark.usefixtures("no_background")
def test_an_item_that_no_longer_passes_when_its_row_is_read_is_no_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=2, distance="euclidean")
    add("docs", [{"id": f"{i:02}", "vector": [i, 0], "metadata": {"n": 0}} for i in range(50)])
    read_hits, changes = rows.hits, [1]

    def change_then_read(*arguments: Any) -> object:
        if changes:
            changes.pop()
            patch("00", n=1)
        return read_hits(*arguments)

    monkeypatch.setattr("vectors.search.rows.hits", change_then_read)

    assert found_keys("docs", [0, 0], k=2, filter={"n": 0}) == ["01", "02"]


@pytest.mark.usefixtures("small_graphs")
def test_filtered_searches_beside_writes_always_find_what_passes_all_the_time() -> None:
    fill(build=False)
    failures: list[object] = []
    done = threading.Event()

    def search_until_done(seed: int) -> None:
        generator = np.random.default_rng(seed)
        try:
            while not done.is_set():
                i = 2 * int(generator.integers(100))
                hits = found_keys("docs", ROWS[i], 10, filter=EVEN)
                if hits[:1] != [f"{i:03}"] or len(hits) != 10:
                    failures.append((i, hits))
        except Exception as error:  # noqa: BLE001  it would be lost in the thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=search_until_done, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        # Every vector changes its length, and so its label, but not its direction; what was never even comes and goes.
        add("docs", [item(i, ROWS[i] * (2 + turn)) for i in range(turn % 10 * 10, turn % 10 * 10 + 100)])
        patch(f"{2 * turn + 1:03}", even=turn % 3 == 0)
        delete("docs", f"{399 - 2 * turn:03}")
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []


def test_an_item_that_changes_while_the_graph_is_loaded_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vectors.replica.PAGE_BYTES", 0)  # the smallest pages: 256 rows
    monkeypatch.setattr("vectors.replicas.Replicas.written", lambda *_: None)
    make_index(dimension=8)
    add("docs", [item(i) for i in range(300)])
    before = indexes.index_state(name="docs")
    read, changes = rows.changes_after, [1]

    def read_then_change(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        if changes:
            changes.pop()
            add("docs", [{"id": f"new-{i}", "vector": (-ROWS[i]).tolist()} for i in range(300)])
            patch("290", n=-1)  # its row moves behind those, and the target lies before
        return found

    monkeypatch.setattr(rows, "changes_after", read_then_change)

    answer = search.search_index(state=before, query=Query(ROWS[290:291], k=1))

    assert [hit.key for hit in answer.hits[0]] == ["290"]
