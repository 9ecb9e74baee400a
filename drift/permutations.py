"""Permutation test of the distance between two means, in one pass over the rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_PIECE = 8192


def labels(n: int, m: int, permutations: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return who belongs to the first side: as it is in the first row, shuffled in the others, ``(p + 1, n + m)``."""
    drawn = np.zeros((permutations + 1, n + m), dtype=bool)
    drawn[:, :n] = True
    for row in drawn[1:]:
        rng.shuffle(row)
    return drawn


def p_value_of(statistics: npt.NDArray[np.float64]) -> float:
    """Return the share of statistics at least as large as the first, itself included: never 0."""
    # Sums in another order differ in their last digits; such a tie is a tie.
    tolerance = 1e-9 * float(np.abs(statistics).max())
    return float(np.mean(statistics >= statistics[0] - tolerance))


def centroid_p_value(
    before: npt.NDArray[np.floating],
    now: npt.NDArray[np.floating],
    scale: float,
    rng: np.random.Generator,
    permutations: int,
) -> float:
    """Return the probability of means so far apart if both sides were drawn from one distribution.

    Parameters
    ----------
    before, now
        Shapes ``(n, dim)`` and ``(m, dim)``, finite; divided by `scale` before anything is squared.

    Returns
    -------
    float
        1 / (permutations + 1) to 1.

    Notes
    -----
    Memory: one byte a row and permutation, and the sums of all permutations.
    """
    n, m = len(before), len(now)
    first = labels(n, m, permutations, rng)
    sums = np.zeros((permutations + 1, before.shape[1]))
    total = np.zeros(before.shape[1])
    # Small numbers keep their digits: a value near all rows is taken off, which moves both means alike.
    origin = before[0].astype(np.float64) / scale
    for rows, offset in ((before, 0), (now, n)):
        for start in range(0, len(rows), _PIECE):
            piece = rows[start : start + _PIECE].astype(np.float64) / scale - origin
            sums += first[:, offset + start : offset + start + len(piece)].astype(np.float64) @ piece
            total += piece.sum(axis=0)
    apart = np.linalg.norm(sums / n - (total - sums) / m, axis=1)
    return p_value_of(apart)
