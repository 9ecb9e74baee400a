"""Embedding drift: have the vectors of an index moved?"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from drift import kernels
from drift.classifier import separability
from drift.neighbours import out_of_distribution
from drift.permutations import centroid_p_value
from drift.samples import Floats

Verdict = Literal["stable", "minor", "major", "insufficient_data"]
Rows = npt.NDArray[np.floating]

MINOR_AUC, MAJOR_AUC = 0.55, 0.65
MINOR_OOD, MAJOR_OOD = 0.10, 0.25
ALPHA = 0.01
MAX_ROWS, PERMUTATIONS = 1000, 199
CLASSIFIER_ROWS = 10_000
MIN_ROWS = 2
_PIECE = 8192


@dataclass(frozen=True, slots=True)
class EmbeddingDrift:
    """What became of a cloud of vectors. None stands for what too few rows, or a choice, leave unsaid."""

    n_reference: int
    n_current: int
    dim: int
    dropped_reference: dict[str, int]
    dropped_current: dict[str, int]
    verdict: Verdict = "insufficient_data"
    centroid_cosine_distance: float | None = None
    centroid_euclidean: float | None = None
    reference_rms_radius: float | None = None
    centroid_shift: float | None = None
    centroid_p_value: float | None = None
    ood_share: float | None = None
    ood_threshold: float | None = None
    auc: float | None = None
    rbf_sigma: float | None = None
    mmd2_unbiased: float | None = None
    mmd_p_value: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        return {name: getattr(self, name) for name in self.__slots__}


def compute_embedding_drift(
    reference: npt.ArrayLike,
    current: npt.ArrayLike,
    *,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    permutations: int = PERMUTATIONS,
    mmd: bool = True,
    drop_zero_rows: bool = False,
) -> EmbeddingDrift:
    """Compare two sets of vectors of one dimension.

    Parameters
    ----------
    reference, current
        Shapes ``(n, dim)`` and ``(m, dim)``, numbers. Rows that are not finite are dropped and counted. Not changed.
    seed
        Of the draws and permutations: the same seed and rows give the same answer.
    max_rows
        Rows a side for MMD, at least 2; whose memory and time grow with the square.
    permutations
        At least 1: the least p-value is 1 / (permutations + 1).
    mmd
        False leaves MMD out.
    drop_zero_rows
        Drop rows of zeros too, for vectors compared by their direction, of which they have none.

    Returns
    -------
    EmbeddingDrift
        Verdict: the worse tier of AUC (.55, .65) and of the share of out-of-distribution rows (.10, .25), if the
        centroid or MMD has p < 0.01; else stable. ``centroid_shift`` is the distance of the means over the root mean
        square distance of the reference's rows to theirs; none where that is 0.

    Raises
    ------
    TypeError
        A side is not made of rows of numbers.
    ValueError
        The dimensions differ, or a parameter is out of its range.

    Notes
    -----
    The centroid's test reads all rows; neighbours and classifier at most 10,000 a side, drawn without replacement.
    50,000 × 384 a side take seconds, with some 100 MB beside the input.

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test; Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests.
    """
    if max_rows < MIN_ROWS or permutations < 1:
        raise ValueError(f"Expected max_rows >= {MIN_ROWS} and permutations >= 1, got {max_rows} and {permutations}.")
    before, dropped_before = read_rows(reference, "reference", drop_zero_rows=drop_zero_rows)
    now, dropped_now = read_rows(current, "current", drop_zero_rows=drop_zero_rows)
    if before.shape[1] != now.shape[1] and len(before) and len(now):
        raise ValueError(f"The reference has {before.shape[1]} dimensions, the current rows have {now.shape[1]}.")
    empty = EmbeddingDrift(len(before), len(now), max(before.shape[1], now.shape[1]), dropped_before, dropped_now)
    if not len(before) or not len(now):
        return empty
    scale = _scale(before, now)
    centroids = _compare_centroids(empty, before, now, scale)
    if len(before) < MIN_ROWS or len(now) < MIN_ROWS:
        return centroids
    rng = np.random.default_rng(seed)
    return _compare(centroids, before, now, scale, rng, max_rows, permutations, mmd=mmd)


def _compare_centroids(empty: EmbeddingDrift, before: Rows, now: Rows, scale: float) -> EmbeddingDrift:
    first, second = _mean(before, scale), _mean(now, scale)
    apart = float(np.linalg.norm(second - first))
    radius = _rms_radius(before, first, scale)
    return replace(
        empty,
        centroid_cosine_distance=_cosine_distance(first, second),
        centroid_euclidean=_finite(apart * scale),
        reference_rms_radius=_finite(radius * scale),
        centroid_shift=_finite(apart / radius) if radius else (0.0 if apart == 0 else None),
    )


def _compare(
    centroids: EmbeddingDrift,
    before: Rows,
    now: Rows,
    scale: float,
    rng: np.random.Generator,
    max_rows: int,
    permutations: int,
    *,
    mmd: bool,
) -> EmbeddingDrift:
    p_value = centroid_p_value(before, now, scale, rng, permutations)
    reference, current = draw(before, CLASSIFIER_ROWS, rng) / scale, draw(now, CLASSIFIER_ROWS, rng) / scale
    ood = out_of_distribution(reference, current, rng)
    auc = separability(reference, current, rng)
    kernel = (
        kernels.mmd(draw(reference, max_rows, rng), draw(current, max_rows, rng), rng, permutations) if mmd else None
    )
    return replace(
        centroids,
        verdict=_verdict(auc, ood.share, min(p_value, kernel.p_value if kernel else 1.0)),
        centroid_p_value=p_value,
        ood_share=ood.share,
        ood_threshold=_finite(ood.threshold * scale),
        auc=auc,
        rbf_sigma=_finite(kernel.sigma * scale) if kernel else None,
        mmd2_unbiased=kernel.mmd2 if kernel else None,
        mmd_p_value=kernel.p_value if kernel else None,
    )


def _finite(number: float) -> float:
    """Return the largest float where the true number is beyond it."""
    return min(number, sys.float_info.max)


def read_rows(rows: npt.ArrayLike, side: str, *, drop_zero_rows: bool) -> tuple[Rows, dict[str, int]]:
    """Return the usable rows of a side, shape ``(n, dim)``, and the counts of those dropped and of zero rows.

    Raises
    ------
    TypeError
        They are not rows of numbers of one length.
    """
    try:
        array = np.asarray(rows)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)  # None becomes NaN
    except (ValueError, TypeError, OverflowError) as error:
        raise TypeError(f"{side}: expected rows of numbers, all of one length.") from error
    if array.size == 0:
        array = np.empty((0, array.shape[1] if array.ndim == 2 else 0))
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise TypeError(f"{side}: expected rows of numbers, got {array.ndim} dimensions of {array.dtype}.")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    finite, zero = np.empty(len(array), dtype=bool), np.empty(len(array), dtype=bool)
    for start in range(0, len(array), _PIECE):
        piece = array[start : start + _PIECE]
        finite[start : start + _PIECE] = np.isfinite(piece).all(axis=1)
        zero[start : start + _PIECE] = ~piece.any(axis=1)
    keep = finite & ~zero if drop_zero_rows else finite
    counts = {"non_finite": int((~finite).sum()), "zero": int(zero.sum()) if drop_zero_rows else 0}
    return array if keep.all() else array[keep], counts


def draw(rows: Rows, most: int, rng: np.random.Generator) -> Floats:
    """Return at most so many rows as float64, drawn without replacement, in their order."""
    if len(rows) <= most:
        return rows.astype(np.float64)
    return rows[np.sort(rng.choice(len(rows), most, replace=False))].astype(np.float64)


def _scale(before: Rows, now: Rows) -> float:
    """Return a power of two to divide by where squares would leave the range of floats; 1 for all that is usual."""
    largest = max(float(np.abs(before).max()), float(np.abs(now).max()))
    if largest == 0 or 1e-100 < largest < 1e100:
        return 1.0
    return float(2.0 ** np.clip(np.floor(np.log2(largest)), -1000, 1000))


def _mean(rows: Rows, scale: float) -> Floats:
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), _PIECE):
        total += (rows[start : start + _PIECE].astype(np.float64) / scale).sum(axis=0)
    return total / len(rows)


def _rms_radius(rows: Rows, mean: Floats, scale: float) -> float:
    total = 0.0
    for start in range(0, len(rows), _PIECE):
        total += float(np.square(rows[start : start + _PIECE].astype(np.float64) / scale - mean).sum())
    return float(np.sqrt(total / len(rows)))


def _cosine_distance(first: Floats, second: Floats) -> float:
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    if length == 0:  # at least one has no direction
        return 0.0 if not first.any() and not second.any() else 1.0
    return float(np.clip(1 - np.dot(first, second) / length, 0.0, 2.0))


def _verdict(auc: float | None, ood_share: float, p_value: float) -> Verdict:
    if p_value >= ALPHA:
        return "stable"
    if (auc or 0) >= MAJOR_AUC or ood_share >= MAJOR_OOD:
        return "major"
    return "minor" if (auc or 0) >= MINOR_AUC or ood_share >= MINOR_OOD else "stable"
