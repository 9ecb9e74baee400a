"""Maximal marginal relevance: hits that are near the query and far from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vectors.distances import Distance, Float32Rows, Float64s, prepare_wide


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
    The first is the nearest one. Then each time the row with the greatest
    ``lambda · s(row, query) - (1 - lambda) · max s(row, chosen)`` is chosen, where ``s`` is the negative distance; of
    equal ones the first. O(n² · d) in one matrix product.

    References
    ----------
    J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998.
    """
    wanted = min(k, len(vectors))
    chosen = list(range(min(1, wanted)))
    if wanted <= 1:
        return np.array(chosen, np.intp)
    between = _between(vectors, distance)
    nearest_chosen = between[0].copy()
    left = np.ones(len(vectors), np.bool_)
    left[0] = False
    while len(chosen) < wanted:
        scores = np.where(left, (1 - relevance) * nearest_chosen - relevance * distances, -np.inf)
        best = int(scores.argmax())
        chosen.append(best)
        left[best] = False
        nearest_chosen = np.minimum(nearest_chosen, between[best])
    return np.array(chosen, np.intp)


def _between(vectors: Float32Rows, distance: Distance) -> Float64s:
    """Return the distance of each row to each, as exactly as a matrix product has it: enough to compare."""
    wide = prepare_wide(vectors, distance)
    inner = wide @ wide.T
    if distance == "dot":
        return np.asarray(-inner)
    if distance == "cosine":
        return np.asarray(1.0 - inner)
    squares = np.diagonal(inner)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2 * inner, 0.0)))
