"""Maximum mean discrepancy with a Gaussian kernel, and its permutation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drift.permutations import labels, p_value_of
from drift.samples import Floats

_CLOSE = 1e-6
_PIECE = 8192


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """MMD² is unbiased, so without drift it is below 0 as often as above."""

    mmd2: float
    sigma: float
    p_value: float


def mmd(reference: Floats, current: Floats, rng: np.random.Generator, permutations: int) -> Discrepancy:
    """Return the unbiased squared MMD of two sets of rows.

    Parameters
    ----------
    reference, current
        Shapes ``(n, dim)`` and ``(m, dim)``, n and m at least 2; not changed.

    Returns
    -------
    Discrepancy
        With k(x, y) = exp(-|x - y|² / (2 sigma²)), sigma the median of all pairwise distances of both sides together;
        where that is 0 the mean distance, and 1 where all rows are equal.

    Notes
    -----
    Memory: some 5 (n + m)² floats.

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test, JMLR 13, equation 3 and section 8 (median heuristic).
    """
    n, m = len(reference), len(current)
    squares = squared_distances(np.concatenate([reference, current]))
    distances = np.sqrt(squares[np.triu_indices(n + m, 1)])
    sigma = _first_positive(float(np.median(distances)), float(distances.mean()), 1.0)
    kernel = np.exp(-squares / (2 * sigma * sigma))
    np.fill_diagonal(kernel, 0.0)  # the unbiased estimate leaves out each row with itself
    first = labels(n, m, permutations, rng).astype(np.float64)
    # For membership z of 0 and 1: z'Kz sums the pairs within the first side; the rest follows from the sums of all.
    onto = first @ kernel
    within_first = (onto * first).sum(axis=1)
    between = onto.sum(axis=1) - within_first
    within_second = kernel.sum() - within_first - 2 * between
    values = within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * between / (n * m)
    return Discrepancy(float(values[0]), sigma, p_value_of(values))


def _first_positive(*numbers: float) -> float:
    return next(number for number in numbers if number > 0)


def squared_distances(rows: Floats) -> Floats:
    """Return the squared Euclidean distances of all pairs of rows, shape ``(n, n)``; of equal rows exactly 0."""
    centred = rows - rows.mean(axis=0)
    squares = np.square(centred).sum(axis=1)
    both = squares[:, None] + squares
    distances = both - 2 * centred @ centred.T
    # Of rows close to each other only the last digits are left, and of equal ones noise that a median of 0 would be.
    first, second = np.nonzero(np.triu(distances < _CLOSE * both, 1))
    distances = (distances + distances.T) / 2
    for start in range(0, first.size, _PIECE):
        one, other = first[start : start + _PIECE], second[start : start + _PIECE]
        distances[one, other] = distances[other, one] = np.square(rows[one] - rows[other]).sum(axis=1)
    np.maximum(distances, 0.0, out=distances)
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances)
