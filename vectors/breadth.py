"""The nearest neighbours that pass a filter, from graphs that know nothing of it.

hnswlib can call a function for each item it visits, but taking the interpreter lock for each costs more than visiting
more items. So it is asked for more neighbours than are wanted, and those that pass are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vectors.distances import Float32Rows
from vectors.hnsw import HnswGraph
from vectors.tail import Labels, is_among

DEVIATIONS = 2
"""A filtered search asks for as many neighbours as should hold k that pass and this many standard deviations more: then
one search in 25 has to ask again."""

WIDENING, MIN_BREADTH = 1.2, 128
"""And so many times more than that, or so many at least: the last neighbours a graph names are the least reliable."""

MIN_STEP = 2
ROW_MICROSECONDS = 4
GRAPH_MICROSECONDS, NEIGHBOUR_MICROSECONDS = 300, 2
"""What reading and measuring a row costs, and what a graph's answer costs, more with each neighbour asked for. They
only decide by which of two ways a filtered search goes, so another machine's would do as well."""


def breadth_for(k: int, live: int, count: int) -> int:
    """Return how many neighbours to ask for where `count` of `live` items pass and k of them are wanted."""
    return max(MIN_BREADTH, int(WIDENING * (k + DEVIATIONS * k**0.5) * live / max(count, 1)))


def is_few(count: int, live: int, k: int, queries: int) -> bool:
    """Return whether measuring all items that pass is cheaper than asking the graph."""
    return breadth_for(k, live, count) > _most(count, queries)


def near_among(
    graphs: Sequence[HnswGraph], queries: Float32Rows, k: int, allowed: Labels, count: int, threads: int
) -> list[list[Labels] | None]:
    """Return for each graph, and in it for each query, labels that are allowed and near.

    Parameters
    ----------
    graphs
        They are asked for more and more neighbours, until in each k pass for every query, or all it has were looked at.
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
    most = _most(len(allowed), len(queries))
    found: list[list[Labels] | None] = []
    for graph in graphs:
        labels = _near_in(graph, queries, min(k, count), allowed, breadth_for(k, live, count), most, threads)
        if labels is None:
            return [None]
        found.append(labels)
    return found


def _near_in(
    graph: HnswGraph, queries: Float32Rows, k: int, allowed: Labels, breadth: int, most: int, threads: int
) -> list[Labels] | None:
    kept: list[Labels] = [np.empty(0, np.int64)] * len(queries)
    waiting = list(range(len(queries)))
    while waiting:
        asked = min(breadth, len(graph))
        found = graph.search(queries[waiting], asked, threads) if asked <= most else None
        if found is None:
            return None
        for i, labels in zip(waiting, found, strict=True):
            passing = is_among(labels, allowed)
            # Behind those asked for come equal vectors that the graph has missed; they are as near as can be.
            kept[i] = np.concatenate((labels[:asked][passing[:asked]][:k], labels[asked:][passing[asked:]]))
        if asked == len(graph):
            break
        fewest = min(len(kept[i]) for i in waiting)
        waiting = [i for i in waiting if len(kept[i]) < k]
        breadth *= max(2 * k // max(fewest, 1), MIN_STEP)
    return kept


def _most(count: int, queries: int) -> int:
    """Return the breadth beyond which measuring all `count` items that pass is cheaper."""
    # Their rows are read once for all queries of a call.
    measuring = ROW_MICROSECONDS * count * (1 + queries / 50)
    return int((measuring / queries - GRAPH_MICROSECONDS) / NEIGHBOUR_MICROSECONDS)
