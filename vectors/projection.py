"""Vectors as a person can take them in: many as points of a plane, one as a few figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vectors.distances import Distance, Float32Rows, Float64s, prepare_wide

SHOWN_COMPONENTS = 8


@dataclass(frozen=True, slots=True)
class Plane:
    """Points of a plane: `points` has shape (n, 2), float64; `share` is the part of the variance they keep, 0 to 1."""

    points: Float64s
    share: float


@dataclass(frozen=True, slots=True)
class VectorSummary:
    """One vector in short; `norm` is its euclidean length, `first` its first `SHOWN_COMPONENTS` components."""

    dimension: int
    norm: float
    low: float
    mean: float
    high: float
    first: tuple[float, ...]


def project(vectors: Float32Rows, distance: Distance) -> Plane:
    """Return vectors as points of the plane in which they differ most: their first two principal components.

    Parameters
    ----------
    vectors
        Shape (n, d), float32, finite; no zero rows for cosine. Not modified.
    distance
        The distance of their index: cosine sees unit vectors, so those are projected.

    Returns
    -------
    Plane
        Shape (n, 2). A direction that does not exist (fewer than three points, d = 1, all the same) is 0. The sign of
        each direction, which is arbitrary, is such that the component of largest size is positive.

    Notes
    -----
    A singular value decomposition in float64: O(n d min(n, d)), 0.2 s for 1,000 vectors of 384 numbers.

    References
    ----------
    I. T. Jolliffe, Principal Component Analysis, 2nd ed., 2002, section 3.5.
    """
    points = np.zeros((len(vectors), 2))
    if not vectors.size:
        return Plane(points, 1.0)
    wide = prepare_wide(vectors, distance)
    centred = wide - wide.mean(axis=0)
    left, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    total = float(sizes @ sizes)
    if not total:
        return Plane(points, 1.0)
    kept = min(2, len(sizes))
    largest = np.argmax(np.abs(directions[:kept]), axis=1)
    signs = np.sign(directions[np.arange(kept), largest])
    points[:, :kept] = left[:, :kept] * sizes[:kept] * signs
    return Plane(points, float(sizes[:kept] @ sizes[:kept]) / total)


def summarise(vector: Float32Rows) -> VectorSummary:
    """Return length, range and first components of a vector of shape (d,), computed in float64."""
    wide = vector.astype(np.float64)
    first = tuple(float(value) for value in vector[:SHOWN_COMPONENTS])
    norm = float(np.linalg.norm(wide))
    return VectorSummary(len(vector), norm, float(wide.min()), float(wide.mean()), float(wide.max()), first)
