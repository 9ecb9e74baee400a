"""Near-duplicates: groups of items that lie within a distance of each other, link by link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vectors.contents import pages
from vectors.distances import Float32Rows
from vectors.queries import MAX_K, Query
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.search import Hit, search_index

FIRST_K = 8
"""Neighbours looked at first; where all of them are within the distance, there may be more, and more are looked at."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are duplicates: ids ascending, and the greatest distance of a link that was found between two."""

    ids: list[str]
    max_distance: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups, the largest first; `scanned` items were looked at."""

    groups: list[Group]
    scanned: int


def find_duplicates(
    *, state: IndexState, threshold: float, progress: Callable[[int], None] = lambda items: None
) -> Duplicates:
    """Return the groups of items of which each is within `threshold` of another one of the group.

    Neighbours come from the graph, so of an index with more than 10,000 items a few links may be missed; distances
    are exact.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    """
    links = _Links()
    scanned = 0
    for page in pages(state):
        vectors = np.frombuffer(page.vectors, "<f4").reshape(len(page.keys), -1)
        closest = replicas.current(state).closest_other(vectors, page.labels)
        for position in np.flatnonzero(closest <= threshold + _rounding(threshold)).tolist():
            for hit in _within(state, vectors[position : position + 1], threshold):
                links.join(page.keys[position], hit.key, hit.distance)
        scanned += len(page.keys)
        progress(len(page.keys))
    return Duplicates(links.groups(), scanned)


def _within(state: IndexState, vector: Float32Rows, threshold: float) -> list[Hit]:
    k = FIRST_K
    while True:
        query = Query(vector, k=k, max_distance=threshold, include=frozenset())
        (hits,) = search_index(state=state, query=query).hits
        if len(hits) < k or k == MAX_K:
            return hits
        k = min(MAX_K, 8 * k)


def _rounding(threshold: float) -> float:
    """Return how far float32 may be off about here; what it lets through is measured exactly."""
    return 1e-6 + 1e-5 * abs(threshold)


class _Links:
    """Disjoint sets of ids."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._far: dict[str, float] = {}

    def join(self, one: str, other: str, distance: float) -> None:
        if one == other:
            return
        roots = sorted({self._root(one), self._root(other)})
        far = max(distance, *(self._far.get(root, 0.0) for root in roots))
        for root in roots:
            self._parent[root] = roots[0]
        self._far[roots[0]] = far

    def groups(self) -> list[Group]:
        members: dict[str, list[str]] = {}
        for key in self._parent:
            members.setdefault(self._root(key), []).append(key)
        found = [Group(sorted(keys), self._far[root]) for root, keys in members.items()]
        return sorted(found, key=lambda group: (-len(group.ids), group.ids[0]))

    def _root(self, key: str) -> str:
        while self._parent.setdefault(key, key) != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key
