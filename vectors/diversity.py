"""Maximal marginal relevance: hits that are near the query and far from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vectors.distances import Distance, Float32Rows, Float64s, measure


def choose(vectors: Float32Rows, distances: Float64s, k: int, relevance: float, distance: Distance) -> NDArray[np.intp]:
    """Return the positions of up to k rows in the order in which they are chosen.

    Parameters
    ----------
    vectors
        Shape (n, d), float32: the candidates, nearest first. Not modified.
    distances
        Shape (n,), float64: their distances to the query.
    k
        How many to choose.
    relevance
        From 0 to 1: the lambda of the paper.
    distance
        Measures how alike two candidates are.

    Notes
    -----
    Each time the row with the greatest ``lambda · s(row, query) - (1 - lambda) · max s(row, chosen)`` is chosen, where
    ``s`` is the negative distance; of equal ones the first. O(k · n · d).

    References
    ----------
    J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998.
    """
    chosen: list[int] = []
    left = np.ones(len(vectors), np.bool_)
    nearest_chosen = np.full(len(vectors), np.inf)
    while len(chosen) < min(k, len(vectors)):
        apart = nearest_chosen if chosen else np.zeros(len(vectors))
        scores = np.where(left, -relevance * distances + (1 - relevance) * apart, -np.inf)
        best = int(scores.argmax()) if chosen else 0
        chosen.append(best)
        left[best] = False
        nearest_chosen = np.minimum(nearest_chosen, measure(vectors[best], vectors, distance))
    return np.array(chosen, np.intp)
