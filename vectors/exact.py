"""Exact search: screen with one matrix product, decide in float64. The oracle for recall.

The matrix product is fast but rounds. Its error has a known bound, so every row whose distance could, within that
bound, be among the k smallest is kept and measured again in float64. Nothing is missed, whatever the data look like;
data that round badly only cost more measuring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vectors.distances import Distance, Float64s, FloatRows, measure

Positions = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest rows to one query: positions (intp) and distances (float64), ascending, ties at the end included."""

    positions: Positions
    distances: Float64s


def row_norms(rows: FloatRows) -> FloatRows:
    """Return the euclidean length of each row, shape (n,), in the dtype of `rows` (computed in float64)."""
    wide = rows.astype(np.float64)
    lengths: FloatRows = np.sqrt(np.einsum("ij,ij->i", wide, wide)).astype(rows.dtype)
    return lengths


def nearest(
    queries: FloatRows, rows: FloatRows, norms: FloatRows, k: int, distance: Distance, slack: float = 0.0
) -> list[Nearest]:
    """Return the k nearest rows to each query, and every further row as far as the k-th.

    Parameters
    ----------
    queries
        Shape (b, d), prepared as `distances.prepare` does.
    rows
        Shape (n, d), prepared likewise, same dtype: float32 rows must be float32-safe, float64 rows may be anything
        finite in float32. Nothing is modified.
    norms
        Shape (n,), `row_norms(rows)`.
    k
        At least 1; may exceed n.
    distance
        One of `distances.DISTANCES`.
    slack
        Rows up to this much farther than the k-th are returned as well.

    Returns
    -------
    list of Nearest
        One per query.

    Notes
    -----
    O(b n d) in one BLAS call, O(b n) memory. Thread-safe; BLAS releases the GIL.

    References
    ----------
    N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1: an inner product of length d in
    any order of summation errs by at most d u / (1 - d u) times the product of the norms, u the unit roundoff.
    """
    if not len(rows):
        return [Nearest(np.empty(0, np.intp), np.empty(0)) for _ in queries]
    inner = queries @ rows.T
    return [
        _refine(query, rows, _screen(inner[i], query, norms, k, distance, slack), k, distance, slack)
        for i, query in enumerate(queries)
    ]


def _screen(
    inner: FloatRows, query: FloatRows, norms: FloatRows, k: int, distance: Distance, slack: float
) -> Positions:
    """Return a superset of the k nearest and their ties, from rounded inner products."""
    if k >= len(norms):
        return np.arange(len(norms))
    unit_roundoff = float(np.finfo(norms.dtype).eps) / 2
    query_norm = norms.dtype.type(np.sqrt(np.square(query.astype(np.float64)).sum()))
    # 4 more roundings: the norms, their squares, the two additions. The smallest normal number covers underflow.
    share = norms.dtype.type((len(query) + 4) * unit_roundoff * 1.01)
    underflow = norms.dtype.type(len(query) * float(np.finfo(norms.dtype).tiny))
    if distance == "euclidean":
        estimate = norms * norms - 2 * inner
        error = share * np.square(norms + query_norm) + underflow
    else:
        estimate = -inner
        error = share * (norms * query_norm) + (underflow + slack)
    bound = np.partition(estimate + error, k - 1)[k - 1]
    return np.flatnonzero(estimate - error <= bound)


def _refine(
    query: FloatRows, rows: FloatRows, candidates: Positions, k: int, distance: Distance, slack: float
) -> Nearest:
    distances = measure(query, rows[candidates], distance)
    order = closest(distances, k, slack)
    return Nearest(candidates[order], distances[order])


def closest(distances: Float64s, k: int, slack: float = 0.0) -> Positions:
    """Return the positions of the k smallest distances, ascending, and of all others within `slack` of the k-th."""
    if k >= len(distances):
        return np.argsort(distances, kind="stable")
    kept = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1] + slack)
    return kept[np.argsort(distances[kept], kind="stable")]
