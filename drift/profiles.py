"""A reference without its data: fixed edges with room beyond both ends, and how many values lay in each bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, cast

import numpy as np

from drift.buckets import count_buckets, equal_width_edges, quantile_edges
from drift.psi import ALPHA, BUCKETS, EPSILON, DistributionDrift, check_parameters, compare_counts
from drift.samples import Values, read_sample


@dataclass(frozen=True, slots=True)
class NumberProfile:
    """`counts[i]` values lie in ``[edges[i - 1], edges[i])``; the first is the underflow, the last the overflow."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    n: int
    missing: int

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in asdict(self).items()}

    @classmethod
    def from_dict(cls, facts: Mapping[str, object]) -> NumberProfile:
        """Return what `to_dict` was made of."""
        edges, counts = cast(Sequence[float], facts["edges"]), cast(Sequence[int], facts["counts"])
        n, missing = cast(int, facts["n"]), cast(int, facts["missing"])
        return cls(tuple(map(float, edges)), tuple(counts), n, missing)


def build_profile(
    values: Values, *, buckets: int = BUCKETS, binning: Literal["equal_width", "quantile"] = "equal_width"
) -> NumberProfile:
    """Return the profile of a sample.

    Parameters
    ----------
    values
        Shape ``(n,)``; None, NaN and infinite values are missing ones. Not changed.
    buckets
        Between the least and the greatest value, clamped to 2..100; ``equal_width`` has under- and overflow besides.
    binning
        Equally wide, or with equally many values; the outer buckets of the latter are open already.

    Raises
    ------
    TypeError
        The values are no numbers.
    """
    clamped = check_parameters(buckets, EPSILON, ALPHA)
    sample = read_sample(values, "reference")
    missing = sample.nan + sample.inf
    if not sample.values.size:
        return NumberProfile((), (0,), 0, missing)
    if binning == "quantile":
        edges = quantile_edges(sample.values, clamped)
    else:
        edges = equal_width_edges(float(sample.values.min()), float(sample.values.max()), clamped)
        # The last bucket is closed: what lies beyond begins at the next float.
        with np.errstate(over="ignore"):  # beyond the largest float there is no overflow bucket
            edges[-1] = np.nextafter(edges[-1], np.inf)
        edges = edges[np.isfinite(edges)]
    counts = count_buckets(sample.values, edges)
    return NumberProfile(tuple(edges.tolist()), tuple(counts.tolist()), sample.values.size, missing)


def compute_profile_drift(
    profile: NumberProfile, current: Values, *, epsilon: float = EPSILON, alpha: float = ALPHA
) -> DistributionDrift:
    """Compare a sample with a profile: as `drift.psi.compute_distribution_drift`, on the profile's edges.

    KS and Wasserstein need the reference's values and are none. Under- and overflow are buckets like the others.
    """
    buckets = len(profile.counts)
    check_parameters(buckets, epsilon, alpha)
    now = read_sample(current, "current")
    # A profile does not tell NaN from infinite.
    dropped = {"nan": profile.missing, "inf": 0}
    empty = DistributionDrift(buckets, buckets, epsilon, "profile", profile.n, now.values.size, dropped, now.dropped)
    if not profile.n or not now.values.size:
        return empty
    interior = np.array(profile.edges)
    edges = np.concatenate([[-np.inf], interior, [np.inf]])
    counts = np.array(profile.counts, dtype=np.int64), count_buckets(now.values, interior)
    return compare_counts(empty, edges, *counts, alpha=alpha, ks_wasserstein=None)
