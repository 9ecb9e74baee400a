"""The share of rows that lie further from the reference than the reference's rows do from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drift.samples import Floats

NEIGHBOUR = 10
PERCENTILE = 95
QUERY_ROWS = 2_000
_PIECE = 256


@dataclass(frozen=True, slots=True)
class OutOfDistribution:
    """`share` of the current rows is further from its 10th neighbour in the reference than `threshold`."""

    share: float
    threshold: float


def out_of_distribution(reference: Floats, current: Floats, rng: np.random.Generator) -> OutOfDistribution:
    """Compare distances to the 10th neighbour in the reference: those of its own rows, and those of the current ones.

    Parameters
    ----------
    reference, current
        Shapes ``(n, dim)`` and ``(m, dim)`` with n >= 2; not changed.

    Returns
    -------
    OutOfDistribution
        The threshold is the 95th percentile among the reference's own rows, so without drift the share is about 0.05.

    Notes
    -----
    With fewer than 11 reference rows the furthest neighbour there is counts. At most 2,000 rows a side are looked up,
    exactly, in all reference rows; a row is never its own neighbour.
    """
    k = min(NEIGHBOUR, len(reference) - 1)
    own = np.sort(rng.choice(len(reference), min(QUERY_ROWS, len(reference)), replace=False))
    other = np.sort(rng.choice(len(current), min(QUERY_ROWS, len(current)), replace=False))
    threshold = float(np.percentile(_kth_distances(reference, reference[own], k, own), PERCENTILE))
    distances = _kth_distances(reference, current[other], k, None)
    # The slack is for distances that are equal but for their last digits.
    return OutOfDistribution(float(np.mean(distances > threshold * (1 + 1e-9))), threshold)


def _kth_distances(
    reference: Floats, queries: Floats, k: int, own: np.ndarray[tuple[int], np.dtype[np.int64]] | None
) -> Floats:
    # |a - b|^2 = |a|^2 - 2ab + |b|^2 loses digits far from the origin, so the origin is moved among the rows.
    origin = reference.mean(axis=0)
    rows = reference - origin
    squares = np.square(rows).sum(axis=1)
    found = np.empty(len(queries))
    for start in range(0, len(queries), _PIECE):
        piece = queries[start : start + _PIECE] - origin
        distances = squares - 2 * piece @ rows.T + np.square(piece).sum(axis=1, keepdims=True)
        if own is not None:
            distances[np.arange(len(piece)), own[start : start + _PIECE]] = np.inf
        found[start : start + _PIECE] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return np.sqrt(np.maximum(found, 0.0))
