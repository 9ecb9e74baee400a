"""How far two samples are apart, by other measures than PSI."""

from __future__ import annotations

import math
import sys

import numpy as np

from drift.samples import Floats

MIN_DEVIATION = 1e-3
_LARGE = 1e100


def ks_and_wasserstein(reference: Floats, current: Floats) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov statistic and the normalised Wasserstein distance of two samples.

    Parameters
    ----------
    reference, current
        Shapes ``(n,)`` and ``(m,)``, finite, neither empty; not changed.

    Returns
    -------
    tuple of float
        sup |F - G|, 0 to 1; and W1 / max(standard deviation of the reference, 0.001), at most the largest float.

    Notes
    -----
    F and G are the empirical distribution functions; W1 is the area between them (Vallender 1974). Both sides are
    sorted, which is nearly all of the cost.
    """
    scale = max(float(np.abs(reference).max()), float(np.abs(current).max()))
    # Differences and squares of such values would overflow; both measures are ratios.
    divisor = scale if scale > _LARGE else 1.0
    before, now = (reference, current) if divisor == 1.0 else (reference / divisor, current / divisor)
    first, second = np.sort(before), np.sort(now)
    both = np.concatenate([first, second])
    order = np.argsort(both, kind="stable")  # two sorted runs: a merge
    steps = np.diff(both[order])
    n, m = first.size, second.size
    # |F - G| as a whole multiple of 1 / (n m): at place k with `seen` of the first side, |seen / n - (k - seen) / m|.
    gap = np.cumsum(order < n, dtype=np.int64) * (n + m)
    gap -= np.arange(n, (n + m) * n + 1, n)
    np.abs(gap, out=gap)
    area = float(np.dot(gap[:-1].astype(np.float64), steps)) / (n * m)
    # Among equal values only after the last one both functions have made their step.
    gap[:-1][steps == 0] = 0
    # The mean of equal numbers is not always that number. Of the values as they came: beside a large mean the order of
    # the summands shows, and numpy's deviation of the reference is what others compare with.
    deviation = 0.0 if first[0] == first[-1] else float(before.std())
    floor = max(deviation, MIN_DEVIATION / divisor)
    ratio = math.inf if floor == 0.0 else area / floor
    return int(gap.max()) / (n * m), min(ratio, sys.float_info.max) if area else 0.0


def share_distances(reference: Floats, current: Floats) -> tuple[float, float, float]:
    """Return the Jensen-Shannon (base 2) and the Hellinger distance and the total variation of two lists of shares.

    Parameters
    ----------
    reference, current
        Shape ``(k,)``: shares of the same buckets, each side of sum 1.

    Returns
    -------
    tuple of float
        Each 0 to 1.

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy; Hellinger: sqrt(sum (sqrt p - sqrt q)^2 / 2).
    """
    middle = (reference + current) / 2
    divergence = (_relative_entropy(reference, middle) + _relative_entropy(current, middle)) / 2
    hellinger = math.sqrt(float(np.square(np.sqrt(reference) - np.sqrt(current)).sum()) / 2)
    variation = float(np.abs(reference - current).sum()) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0)), min(hellinger, 1.0), min(variation, 1.0)


def _relative_entropy(shares: Floats, others: Floats) -> float:
    live = shares > 0
    return float((shares[live] * np.log2(shares[live] / others[live])).sum())
