"""The nearest neighbours that pass a filter, from graphs that know nothing of it.

hnswlib can call a function for each item it visits, but taking the interpreter lock for each costs more than visiting
more items. So it is asked for more neighbours than are wanted, and those that pass are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from vectors.distances import Float32Rows
from vectors.hnsw import HnswGraph
from vectors.tail import Labels, is_among

WIDENING = 1.3
"""A filtered search asks for so many more neighbours than should hold enough that pass."""

MAX_BREADTH = 4_000
"""Neighbours of a query beyond which it is cheaper to measure all items that pass."""


def breadth_for(k: int, live: int, count: int) -> int:
    """Return how many neighbours to ask for where `count` of `live` items pass and k of them are wanted."""
    return int(WIDENING * (k + 2 * k**0.5) * live / count)


def near_among(
    graphs: Sequence[HnswGraph], queries: Float32Rows, k: int, allowed: Labels, count: int, threads: int
) -> list[list[Labels] | None]:
    """Return for each graph, and in it for each query, labels that are allowed and near.

    Parameters
    ----------
    graphs
        They are asked for more and more neighbours, until k of them pass for every query.
    queries
        Shape (b, dimension), float32, prepared.
    k
        Wanted for each query.
    allowed
        Labels, ascending.
    count
        How many of them are in these graphs.
    threads
        For hnswlib.

    Returns
    -------
    list
        One None when it is cheaper to measure all that pass, or a graph cannot answer; nothing to be searched: empty.
    """
    live = sum(len(graph) for graph in graphs)
    if not live or not count:
        return []
    breadth = breadth_for(k, live, count)
    while breadth <= min(MAX_BREADTH, live):
        found = [graph.search(queries, breadth, threads) for graph in graphs]
        if any(labels is None for labels in found):
            return [None]
        kept = [[row[is_among(row, allowed)][:k] for row in labels or []] for labels in found]
        if all(sum(len(rows[i]) for rows in kept) >= min(k, count) for i in range(len(queries))):
            return list(kept)
        breadth *= 4
    return [None]
