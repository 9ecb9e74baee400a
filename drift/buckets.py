"""Buckets: where their edges lie and how many values fall into each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from drift.samples import Floats

Counts = npt.NDArray[np.int64]

_PIECE = 16_384
# Up to here one comparison per edge beats looking up every value: comparisons run on whole vector registers.
_MAX_COMPARED_EDGES = 128


def equal_width_edges(low: float, high: float, buckets: int) -> Floats:
    """Return the edges of equally wide buckets from `low` to `high`, shape ``(k + 1,)``, ascending.

    Edges that rounding makes equal are one edge, so there may be fewer buckets than asked for. With ``low == high``
    there is one bucket ``[low, low]``. Where ``high - low`` overflows, the halves are divided instead.
    """
    if low == high:
        return np.array([low, high])
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.float64(high) - np.float64(low)):
            edges = np.linspace(low, high, buckets + 1)
        else:
            edges = np.linspace(low / 2, high / 2, buckets + 1) * 2
    # Among the smallest floats rounding may carry interior edges past the greatest value, into which nothing falls.
    return np.unique(edges)


def quantile_edges(values: Floats, buckets: int) -> Floats:
    """Return the interior edges at the quantiles of `values`, shape ``(k - 1,)``, ascending; the outer are infinite.

    Quantile i of B lies at position ``(n - 1) * i / B`` of the sorted values, between two of them by linear
    interpolation. The position is split by `divmod` of whole numbers: no rounding of i / B moves a value over an edge.
    """
    last = values.size - 1
    places = [divmod(last * i, buckets) for i in range(1, buckets)]
    wanted = sorted({min(whole + step, last) for whole, _ in places for step in (0, 1)})
    ordered = np.partition(values, wanted)
    edges = [
        _between(float(ordered[whole]), float(ordered[min(whole + 1, last)]), rest / buckets) for whole, rest in places
    ]
    return np.unique(np.array(edges))


def _between(low: float, high: float, share: float) -> float:
    width = high - low
    # The width of two finite numbers may overflow.
    return low + width * share if np.isfinite(width) else low * (1 - share) + high * share


def count_buckets(values: Floats, interior: Floats) -> Counts:
    """Count the values of each bucket ``[e_i, e_i+1)``, the first and last open towards the outside.

    Parameters
    ----------
    values
        Shape ``(n,)``, finite, in any order; not changed.
    interior
        Shape ``(k - 1,)``, ascending: the edges between the k buckets.

    Returns
    -------
    Counts
        Shape ``(k,)``, int64, of sum n.

    Notes
    -----
    Memory beside the input: some 130 KB.
    """
    if interior.size > _MAX_COMPARED_EDGES:
        found = np.searchsorted(interior, values, side="right")
        return np.bincount(found, minlength=interior.size + 1).astype(np.int64)
    below = np.zeros(interior.size + 2, dtype=np.int64)
    below[-1] = values.size
    edges = interior.tolist()
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        for place, edge in enumerate(edges, start=1):
            below[place] += np.count_nonzero(piece < edge)
    return np.diff(below)
