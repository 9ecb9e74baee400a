from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from drift.classifier import auc
from drift.embedding import compute_embedding_drift
from drift.kernels import squared_distances

hostile_rows = npst.arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.just(3)),
    elements=st.one_of(st.floats(), st.sampled_from([1e308, -1e308, 5e-324, 0.0, 1.0])),
)


def cloud(
    n: int, shift: float = 0.0, seed: int = 0, dim: int = 16
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return (np.random.default_rng(seed).normal(size=(n, dim)) + shift).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(reference=hostile_rows, current=hostile_rows)
def test_whatever_comes_every_measure_is_finite_or_none(
    reference: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    current: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    found = compute_embedding_drift(reference, current, seed=1, permutations=9)

    json.dumps(found.to_dict(), allow_nan=False)
    assert found.n_reference + found.dropped_reference["non_finite"] == len(reference)


def test_one_cloud_in_two_draws_is_stable() -> None:
    found = compute_embedding_drift(cloud(400, seed=1), cloud(400, seed=2), seed=0)

    assert found.verdict == "stable"
    assert found.auc == pytest.approx(0.5, abs=0.06)
    assert found.ood_share == pytest.approx(0.05, abs=0.05)


def test_a_large_shift_is_major_by_every_measure() -> None:
    found = compute_embedding_drift(cloud(300, seed=1), cloud(300, shift=1.0, seed=2), seed=0)

    assert found.verdict == "major"
    assert (found.centroid_p_value, found.mmd_p_value) == (0.005, 0.005)
    assert found.auc is not None
    assert found.auc > 0.9


def test_a_cloud_that_only_spreads_is_seen_by_mmd_and_by_neighbours() -> None:
    found = compute_embedding_drift(cloud(300, seed=1), cloud(300, seed=2) * 2, seed=0)

    assert found.verdict == "major"
    assert found.centroid_p_value is not None
    assert found.centroid_p_value > 0.01
    assert found.ood_share is not None
    assert found.ood_share > 0.25


def test_false_alarms_are_rare() -> None:
    verdicts = [
        compute_embedding_drift(cloud(60, seed=n, dim=4), cloud(60, seed=n + 1000, dim=4), seed=n, permutations=99)
        for n in range(100)
    ]

    assert sum(found.verdict != "stable" for found in verdicts) <= 5


def test_the_same_seed_gives_the_same_answer() -> None:
    one, other = (compute_embedding_drift(cloud(200), cloud(150, 0.1, 3), seed=7, max_rows=50) for _ in range(2))

    assert one == other


def test_mmd_can_be_left_out() -> None:
    found = compute_embedding_drift(cloud(50), cloud(50, 1.0), mmd=False)

    assert (found.mmd2_unbiased, found.mmd_p_value, found.rbf_sigma) == (None, None, None)
    assert found.verdict == "major"


def test_rows_that_cannot_be_used_are_dropped_and_counted() -> None:
    reference = cloud(20).astype(np.float64)
    reference[3, 2], reference[4] = math.nan, 0.0

    kept = compute_embedding_drift(reference, cloud(20), permutations=9)
    dropped = compute_embedding_drift(reference, cloud(20), permutations=9, drop_zero_rows=True)

    assert (kept.n_reference, kept.dropped_reference) == (19, {"non_finite": 1, "zero": 0})
    assert (dropped.n_reference, dropped.dropped_reference) == (18, {"non_finite": 1, "zero": 1})


def test_of_a_single_row_only_the_centroids_are_told() -> None:
    found = compute_embedding_drift([[3.0, 0.0]], [[0.0, 4.0], [0.0, 4.0]])

    assert (found.verdict, found.centroid_euclidean, found.centroid_cosine_distance) == ("insufficient_data", 5.0, 1.0)
    assert (found.reference_rms_radius, found.centroid_shift, found.auc) == (0.0, None, None)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_equal_rows_are_no_distance_apart(offset: float) -> None:
    rows = cloud(3, seed=4).astype(np.float64) + offset
    repeated = rows[np.random.default_rng(5).integers(0, 3, 200)]

    distances = squared_distances(repeated)

    expected = np.square(repeated[:, None] - repeated).sum(axis=2)
    assert ((distances == 0) == (expected == 0)).all()
    assert distances == pytest.approx(expected, rel=1e-9)


def test_different_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="16 dimensions, the current rows have 8"):
        compute_embedding_drift(cloud(5), cloud(5, dim=8))


@pytest.mark.parametrize("rows", [[1.0, 2.0], [["a"]], [[1.0], [1.0, 2.0]], "text", [[1j]]])
def test_what_is_no_table_of_numbers_is_a_type_error(rows: object) -> None:
    with pytest.raises(TypeError, match="current: expected rows of numbers"):
        compute_embedding_drift([[1.0]], rows)  # type: ignore[arg-type]


@given(scores=st.lists(st.integers(0, 5), min_size=2, max_size=30), data=st.data())
def test_auc_counts_pairs(scores: list[int], data: st.DataObject) -> None:
    positive = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    positive[0], positive[1] = True, False
    values = np.array(scores, dtype=float)

    pairs = [
        (a > b) + 0.5 * (a == b)
        for a, mine in zip(scores, positive, strict=True)
        for b, other in zip(scores, positive, strict=True)
        if mine and not other
    ]

    assert auc(values, np.array(positive)) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.slow
def test_fifty_thousand_rows_are_compared() -> None:
    found = compute_embedding_drift(cloud(50_000, dim=64), cloud(50_000, 0.1, 1, dim=64), seed=1)

    assert (found.n_reference, found.n_current) == (50_000, 50_000)
    assert found.verdict == "major"
