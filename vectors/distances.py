"""What "near" means: the three distances of the API, how rows are prepared for a graph, exact measures.

A graph or a brute-force pass in float32 only *proposes* neighbours. Which of them are nearest, and the number the
caller sees, is always decided by `measure` in float64 on the stored rows, so an answer does not depend on whether an
item sat in a graph or in a tail, nor on a restart.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Distance = Literal["cosine", "euclidean", "dot"]
DISTANCES: tuple[Distance, ...] = ("cosine", "euclidean", "dot")

Float32Rows = NDArray[np.float32]
FloatRows = NDArray[np.float32] | NDArray[np.float64]
Float64s = NDArray[np.float64]
Bools = NDArray[np.bool_]

COSINE_DECIMALS = 12
"""Cosine distances are rounded here: float64 noise of 1e-16 would otherwise tell parallel vectors apart."""

PREPARED_COSINE_ERROR = 2.5e-7
"""How far the cosine distance of two rows may move when both are scaled to unit length and rounded to float32."""

FLOAT32_SAFE_LOW = 1e-15
FLOAT32_SAFE_HIGH = 1e15
"""Rows whose largest component is outside this range overflow or vanish when squared in float32."""


def prepare(vectors: Float32Rows, distance: Distance) -> Float32Rows:
    """Return the rows as a graph holds them: unit length for cosine, unchanged otherwise.

    Parameters
    ----------
    vectors
        Shape (n, d), float32, finite; no zero rows for cosine. Not modified.
    distance
        One of `DISTANCES`.

    Returns
    -------
    ndarray
        Shape (n, d), float32, C-contiguous. The input itself where nothing has to change.

    Notes
    -----
    The norm is taken in float64: squaring 1e30 in float32 gives infinity, and hnswlib's own cosine space then puts such
    a vector at distance 1 from everything, itself included, without a word.
    """
    if distance != "cosine":
        return np.ascontiguousarray(vectors)
    return prepare_wide(vectors, distance).astype(np.float32)


def prepare_wide(vectors: Float32Rows, distance: Distance) -> Float64s:
    """Return the same rows as `prepare`, shape (n, d), in float64: safe for any float32 rows."""
    wide = vectors.astype(np.float64)
    if distance == "cosine":
        wide /= np.sqrt(_squares(wide))[:, None]
    return wide


def measure(query: FloatRows, rows: FloatRows, distance: Distance) -> Float64s:
    """Return the exact distance of one query to each row, in float64.

    Parameters
    ----------
    query
        Shape (d,).
    rows
        Shape (n, d). Neither is modified.
    distance
        ``cosine``: 1 - cosine similarity, in [0, 2]; ``euclidean``: not squared; ``dot``: negative inner product.

    Returns
    -------
    ndarray
        Shape (n,), float64. Equal rows get equal distances to the last bit, wherever they stand in `rows`: `einsum`
        sums each row on its own, in one order; the kernels of BLAS treat rows at the edges of a block differently.
    """
    wide_query = query.astype(np.float64)
    wide_rows = rows.astype(np.float64)
    if distance == "euclidean":
        wide_rows -= wide_query
        return np.asarray(np.sqrt(_squares(wide_rows)), dtype=np.float64)
    inner = np.einsum("ij,j->i", wide_rows, wide_query)
    if distance == "dot":
        return np.asarray(0.0 - inner, dtype=np.float64)
    lengths = np.sqrt(_squares(wide_rows) * _squares(wide_query[None])[0])
    cosine = np.clip(inner / lengths, -1.0, 1.0)
    return np.asarray(np.round(1.0 - cosine, COSINE_DECIMALS), dtype=np.float64)


def _squares(rows: Float64s) -> Float64s:
    return np.asarray(np.einsum("ij,ij->i", rows, rows), dtype=np.float64)


def is_float32_safe(prepared: Float32Rows) -> Bools:
    """Return for each row whether float32 arithmetic on it neither overflows nor vanishes.

    Parameters
    ----------
    prepared
        Shape (n, d), as returned by `prepare`.

    Returns
    -------
    ndarray
        Shape (n,), bool. Zero rows are safe.
    """
    largest = np.abs(prepared).max(axis=1, initial=0)
    inside = (largest >= FLOAT32_SAFE_LOW) & (largest <= FLOAT32_SAFE_HIGH)
    return np.asarray(inside | (largest == 0), dtype=np.bool_)
