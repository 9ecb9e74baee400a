"""Near-duplicates: groups of items that lie within a distance of each other, link by link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lakehouse_site.errors import TooLarge
from vectors.contents import pages
from vectors.distances import Float32Rows
from vectors.indexes import present_state
from vectors.queries import Query
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.search import search_index
from vectors.tail import Labels

AT_ONCE = 128
"""Items looked at in one go: while a graph answers, rows that wait for it, and searches behind them, wait."""

FIRST_K, MORE_K = 8, 64
"""Neighbours looked at first, and where all of these are within the distance. No further: 64 links to the nearest hold
a group together, and a distance within which most items lie would make n² of them."""

MAX_ITEMS_OF_A_CALL = 20_000
"""Of an index that is looked through while an HTTP caller waits: some five seconds, and half a minute where everything
is a duplicate. The command has no limit."""


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
    *,
    state: IndexState,
    threshold: float,
    max_items: int | None = None,
    progress: Callable[[int], None] = lambda items: None,
) -> Duplicates:
    """Return the groups of items of which each is within `threshold` of another one of the group.

    Neighbours come from the graph, so of an index with more than 10,000 items a few links may be missed; distances
    are exact.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    TooLarge
        It has more than `max_items`.
    """
    if max_items is not None and state.live_count > max_items:
        raise TooLarge(
            f"{state.live_count} items are more than the {max_items} that one call looks through. "
            f"Run: manage.py index_duplicates {state.name} --threshold {threshold}"
        )
    links = _Links()
    scanned = 0
    for page in pages(state):
        vectors = np.frombuffer(page.vectors, "<f4").reshape(len(page.keys), -1)
        for start in range(0, len(vectors), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            _link(state, threshold, page.keys[part], page.labels[part], vectors[part], links)
            progress(len(page.keys[part]))
        scanned += len(page.keys)
    present_state(state)  # a drop meanwhile would have cut it short
    return Duplicates(links.groups(), scanned)


def _link(
    state: IndexState, threshold: float, keys: Sequence[str], labels: Labels, vectors: Float32Rows, links: _Links
) -> None:
    closest = replicas.current(state).closest_other(vectors, labels)
    waiting = np.flatnonzero(closest <= threshold + _rounding(threshold)).tolist()
    for k in (FIRST_K, MORE_K):
        if not waiting:
            return
        query = Query(vectors[waiting], is_batch=True, k=k, max_distance=threshold, include=frozenset())
        found = search_index(state=state, query=query).hits
        for position, hits in zip(waiting, found, strict=True):
            for hit in hits:
                links.join(keys[position], hit.key, hit.distance)
        waiting = [position for position, hits in zip(waiting, found, strict=True) if len(hits) == k]


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
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first
        self._far[first] = max(distance, self._far.get(first, distance), self._far.get(second, distance))

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
