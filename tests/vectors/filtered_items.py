"""An index of 400 items for tests of filtered searches: even and odd ones, in four parts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import add, find, make_index, random_rows
from vectors import indexes, patches, writes
from vectors.distances import Distance, Float32Rows, measure
from vectors.replicas import replicas

ROWS = random_rows(400, 8)
EVEN = {"even": True}


@pytest.fixture
def no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave moving rows into graphs to the test."""
    monkeypatch.setattr("vectors.replicas.Replicas._start", lambda self: None)


@pytest.fixture
def graphs_preferred(no_background: None, small_graphs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the graph however few items pass, and however far it has to look."""
    monkeypatch.setattr("vectors.breadth.ROW_MICROSECONDS", 1e6)


def fill(distance: Distance = "cosine", *, build: bool = True) -> None:
    make_index(dimension=8, distance=distance)
    add("docs", [item(i) for i in range(len(ROWS))])
    find("docs", ROWS[0])
    if build:
        graph = replicas.current(indexes.index_state(name="docs"))
        while graph.move_chunk(threads=2):
            pass


def item(i: int, row: Float32Rows | None = None) -> dict[str, Any]:
    vector = ROWS[i] if row is None else row
    return {"id": f"{i:03}", "vector": vector.tolist(), "metadata": {"even": i % 2 == 0, "n": i, "part": i // 100}}


def patch(key: str, **changes: Any) -> None:
    parsed = patches.parse_patches([{"id": key, "metadata": changes}])
    writes.patch_items(state=indexes.index_state(name="docs"), patches=parsed, max_bytes=1_000)


def nearest(query: Float32Rows, chosen: list[int], k: int, distance: Distance = "cosine") -> list[str]:
    far = measure(query, ROWS[chosen], distance)
    return [f"{chosen[i]:03}" for i in sorted(range(len(chosen)), key=lambda i: (far[i], chosen[i]))[:k]]
