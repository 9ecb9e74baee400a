"""Distribution drift: the population stability index, and whether chance alone would make it as large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from drift import chi_square
from drift.buckets import Counts, count_buckets, equal_width_edges, quantile_edges
from drift.samples import Floats, Sample, Values, read_sample
from drift.shapes import ks_and_wasserstein, share_distances

Tier = Literal["stable", "minor", "major"]
Binning = Literal["equal_width", "quantile", "profile"]

BUCKETS, MIN_BUCKETS, MAX_BUCKETS = 10, 2, 100
EPSILON, MAX_EPSILON = 1e-4, 0.01
ALPHA = 0.01
MINOR, MAJOR = 0.10, 0.25
MIN_EXPECTED = 5
"""Below this many expected values in a cell Pearson's test is not to be trusted (Cochran 1954)."""
CONCENTRATED = 0.95


@dataclass(frozen=True, slots=True)
class BucketRow:
    """One bucket ``[lower, upper)``; the last one is closed."""

    lower: float
    upper: float
    reference_count: int
    current_count: int
    reference_share: float
    current_share: float
    contribution: float


@dataclass(frozen=True, slots=True)
class DistributionDrift:
    """What became of a distribution. Without data on a side nothing but the counts and the verdict says anything."""

    buckets_requested: int
    buckets_clamped: int
    epsilon: float
    binning: Binning
    n_reference: int
    n_current: int
    dropped_reference: dict[str, int]
    dropped_current: dict[str, int]
    psi: float = 0.0
    tier: Tier = "stable"
    verdict: Literal["stable", "minor", "major", "insufficient_data"] = "insufficient_data"
    rows: tuple[BucketRow, ...] = ()
    edges: tuple[float, ...] = ()
    merged_rows: tuple[tuple[int, int], ...] = ()
    chi2: float = 0.0
    chi2_df: int = 0
    p_value: float = 1.0
    significant: bool = False
    noise_p95: float = 0.0
    reliable: bool = False
    alert: bool = False
    max_bucket_share: float = 0.0
    ks: float | None = None
    wasserstein_norm: float | None = None
    js_distance: float = 0.0
    hellinger: float = 0.0
    tvd: float = 0.0
    quantile_psi: float | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it; an open edge is the text Infinity or -Infinity."""
        facts: dict[str, object] = {name: getattr(self, name) for name in self.__slots__ if name not in _SHAPED}
        return facts | {
            "buckets_effective": len(self.rows),
            "edges": [_as_json(edge) for edge in self.edges],
            "reference_counts": [row.reference_count for row in self.rows],
            "current_counts": [row.current_count for row in self.rows],
            "contributions": [row.contribution for row in self.rows],
            "merged_rows": [list(pair) for pair in self.merged_rows],
            "rows": [{name: _as_json(getattr(row, name)) for name in BucketRow.__slots__} for row in self.rows],
            "warnings": list(self.warnings),
        }


_SHAPED = frozenset({"rows", "edges", "merged_rows", "warnings"})


def _as_json(number: float) -> float | str:
    return number if math.isfinite(number) else "Infinity" if number > 0 else "-Infinity"


def compute_distribution_drift(
    reference: Values,
    current: Values,
    *,
    buckets: int = BUCKETS,
    epsilon: float = EPSILON,
    binning: Literal["equal_width", "quantile"] = "equal_width",
    alpha: float = ALPHA,
    distances: bool = True,
) -> DistributionDrift:
    """Compare two samples of a number by PSI, with the means to tell drift from chance.

    Parameters
    ----------
    reference, current
        Shapes ``(n,)`` and ``(m,)``; None, NaN and infinite values are dropped and counted. Not changed.
    buckets
        Clamped to 2..100. Equal edges are one edge, so `buckets_effective` may be less.
    epsilon
        Share that stands for an empty bucket, in (0, 0.01].
    binning
        ``equal_width`` from the least to the greatest value of both sides, or ``quantile`` of the reference.
    alpha
        Significance below which a PSI of 0.10 or more is an alert, in (0, 1).
    distances
        Leave out KS and Wasserstein, which need both sides sorted: the rest is several times faster.

    Returns
    -------
    DistributionDrift
        psi = sum over buckets of (q - p) ln(q / p) with p, q the shares, at least epsilon, not renormalised; see
        `merge_neighbours`, `noise_p95` and `drift.shapes` for the rest. PSI is finite and never negative.

    Raises
    ------
    TypeError
        A side is not made of numbers.
    ValueError
        epsilon, alpha or binning is out of its range.

    Notes
    -----
    ``alert`` is psi >= 0.10 and p_value < alpha: without drift, of 100 values a side nine in ten have a PSI above
    0.10. Cost: O(n) without `distances`, else that of sorting. Thread-safe.

    References
    ----------
    Siddiqi (2006), Credit Risk Scorecards; Yurdakul (2018), Statistical properties of the population stability index.
    """
    clamped = check_parameters(buckets, epsilon, alpha)
    if binning not in ("equal_width", "quantile"):
        raise ValueError(f"binning is {binning!r}: use 'equal_width' or 'quantile'.")
    before, now = read_sample(reference, "reference"), read_sample(current, "current")
    empty = DistributionDrift(
        buckets, clamped, epsilon, binning, before.values.size, now.values.size, before.dropped, now.dropped
    )
    if not before.values.size or not now.values.size:
        return empty
    edges = _edges(before, now, clamped, binning)
    counts = count_buckets(before.values, edges[1:-1]), count_buckets(now.values, edges[1:-1])
    measures = ks_and_wasserstein(before.values, now.values) if distances else None
    found = compare_counts(empty, edges, *counts, alpha=alpha, ks_wasserstein=measures)
    if found.max_bucket_share < CONCENTRATED or binning == "quantile":
        return found
    inner = quantile_edges(before.values, clamped)
    p, q = (count_buckets(side.values, inner) / side.values.size for side in (before, now))
    return replace(found, quantile_psi=math.fsum(contributions(p, q, epsilon).tolist()))


def check_parameters(buckets: int, epsilon: float, alpha: float) -> int:
    """Return the number of buckets within its limits.

    Raises
    ------
    TypeError
        `buckets` is no whole number.
    ValueError
        epsilon or alpha is out of its range.
    """
    if isinstance(buckets, bool) or not isinstance(buckets, int):
        raise TypeError(f"buckets has to be a whole number, got {type(buckets).__name__}.")
    if not 0 < epsilon <= MAX_EPSILON:
        raise ValueError(f"epsilon is {epsilon}: it has to be above 0 and at most {MAX_EPSILON}.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}: it has to lie between 0 and 1.")
    return min(max(buckets, MIN_BUCKETS), MAX_BUCKETS)


def _edges(before: Sample, now: Sample, buckets: int, binning: str) -> Floats:
    if binning == "quantile":
        return np.concatenate([[-np.inf], quantile_edges(before.values, buckets), [np.inf]])
    low = min(float(before.values.min()), float(now.values.min()))
    high = max(float(before.values.max()), float(now.values.max()))
    return equal_width_edges(low, high, buckets)


def tier_of(psi: float) -> Tier:
    """Return stable < 0.10 <= minor < 0.25 <= major."""
    return "major" if psi >= MAJOR else "minor" if psi >= MINOR else "stable"


def contributions(reference: Floats, current: Floats, epsilon: float) -> Floats:
    """Return each bucket's part of PSI, shape ``(k,)``, none negative, from the shares of both sides."""
    p, q = np.maximum(reference, epsilon), np.maximum(current, epsilon)
    # The difference of logarithms changes its sign exactly when the sides change places, ln(q / p) only nearly.
    return np.asarray(np.maximum((q - p) * (np.log(q) - np.log(p)), 0.0))


def merge_neighbours(reference: Sequence[int], current: Sequence[int]) -> list[tuple[int, int]]:
    """Merge neighbouring buckets, left to right, until both expected counts are at least 5.

    A short tail joins the last group. Without any group that large there is one of all buckets.
    """
    n, m = sum(reference), sum(current)
    groups: list[tuple[int, int]] = []
    first = second = 0
    for one, other in zip(reference, current, strict=True):
        first, second = first + one, second + other
        # Expected: n (first + second) / (n + m), and the same of m; in whole numbers, so that no rounding decides.
        if min(n, m) * (first + second) >= MIN_EXPECTED * (n + m):
            groups.append((first, second))
            first = second = 0
    if first + second:
        last = groups.pop() if groups else (0, 0)
        groups.append((last[0] + first, last[1] + second))
    return groups


def pearson(groups: Sequence[tuple[int, int]]) -> tuple[float, int, float]:
    """Return chi-square without continuity correction, its degrees of freedom and p for a 2 x k table of counts."""
    if len(groups) < 2:
        return 0.0, 0, 1.0
    table = np.array(groups, dtype=np.float64).T
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float((np.square(table - expected) / expected).sum())
    return statistic, len(groups) - 1, chi_square.survival(statistic, len(groups) - 1)


def noise_p95(live: int, n: int, m: int) -> float:
    """Return what PSI stays below in 95 of 100 samples without drift: chi2_0.95(live - 1) (1/n + 1/m)."""
    return chi_square.quantile(0.95, live - 1) * (1 / n + 1 / m)


def compare_counts(
    empty: DistributionDrift,
    edges: Floats,
    reference: Counts,
    current: Counts,
    *,
    alpha: float,
    ks_wasserstein: tuple[float, float] | None,
) -> DistributionDrift:
    """Return the drift between the counts of the same buckets; `empty` has what is known before counting."""
    p, q = reference / reference.sum(), current / current.sum()
    parts = contributions(p, q, empty.epsilon).tolist()
    psi = math.fsum(parts)
    groups = merge_neighbours(reference.tolist(), current.tolist())
    statistic, df, p_value = pearson(groups)
    pooled = reference + current
    noise = noise_p95(int(np.count_nonzero(pooled)), int(reference.sum()), int(current.sum()))
    js, hellinger, variation = share_distances(p, q)
    most = float(pooled.max() / pooled.sum())
    return replace(
        empty,
        psi=psi,
        tier=tier_of(psi),
        verdict=tier_of(psi),
        rows=_rows(edges, reference, current, parts),
        edges=tuple(edges.tolist()),
        merged_rows=tuple(groups),
        chi2=statistic,
        chi2_df=df,
        p_value=p_value,
        significant=p_value < alpha,
        noise_p95=noise,
        reliable=noise < MINOR,
        alert=psi >= MINOR and p_value < alpha,
        max_bucket_share=most,
        ks=ks_wasserstein[0] if ks_wasserstein else None,
        wasserstein_norm=ks_wasserstein[1] if ks_wasserstein else None,
        js_distance=js,
        hellinger=hellinger,
        tvd=variation,
        warnings=("concentrated",) if most >= CONCENTRATED else (),
    )


def _rows(edges: Floats, reference: Counts, current: Counts, parts: Sequence[float]) -> tuple[BucketRow, ...]:
    n, m = int(reference.sum()), int(current.sum())
    counts = zip(reference.tolist(), current.tolist(), strict=True)
    return tuple(
        BucketRow(float(edges[i]), float(edges[i + 1]), old, new, old / n, new / m, parts[i])
        for i, (old, new) in enumerate(counts)
    )
