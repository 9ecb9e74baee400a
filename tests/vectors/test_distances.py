from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vectors.distances import COSINE_DECIMALS, DISTANCES, Distance, is_float32_safe, measure, prepare

LARGEST = float(np.float32(3e38))
FLOATS = st.floats(-LARGEST, LARGEST, width=32)
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.just(5)), elements=FLOATS)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [("cosine", [0.0, 1.0, 2.0, 0.0]), ("euclidean", [0.0, 5.0, 6.0, 3.0]), ("dot", [-9.0, 0.0, 9.0, -18.0])],
)
def test_measure_gives_the_textbook_numbers(distance: Distance, expected: list[float]) -> None:
    rows = np.array([[3, 0], [0, 4], [-3, 0], [6, 0]], np.float32)

    assert measure(np.array([3, 0], np.float32), rows, distance).tolist() == expected


@given(ROWS, st.sampled_from(DISTANCES))
def test_measure_gives_equal_rows_equal_distances_wherever_they_stand(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], distance: Distance
) -> None:
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return
    many = np.repeat(rows, 7, axis=0)

    measured = measure(rows[0], many, distance).reshape(-1, 7)

    assert (measured == measured[:, :1]).all()


@given(ROWS)
def test_cosine_distance_of_any_finite_rows_is_between_0_and_2(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    rows = rows[rows.any(axis=1)]
    for row in rows:
        measured = measure(row, rows, "cosine")
        assert (measured >= 0).all()
        assert (measured <= 2).all()


@given(ROWS, st.sampled_from([3.0, 0.1, 1e-4]))
def test_parallel_rows_have_cosine_distance_zero(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], factor: float
) -> None:
    rows = rows[(np.abs(rows).max(axis=1) > 1e-20) & (np.abs(rows).max(axis=1) < 1e30)]
    for row in rows.astype(np.float64):
        wide = np.stack([row, row * factor])
        assert measure(row, wide, "cosine").tolist() == [0.0, 0.0]


@given(ROWS)
def test_prepare_gives_unit_rows_for_cosine_however_large_or_small_they_are(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    rows = rows[rows.any(axis=1)]
    before = rows.copy()

    prepared = prepare(rows, "cosine")

    assert np.allclose(np.linalg.norm(prepared.astype(np.float64), axis=1), 1, atol=1e-6)
    assert is_float32_safe(prepared).all()
    assert (rows == before).all()


def test_prepare_leaves_rows_alone_where_lengths_matter() -> None:
    rows = np.array([[3, 4]], np.float32)

    assert prepare(rows, "euclidean").tolist() == prepare(rows, "dot").tolist() == [[3, 4]]


def test_rows_that_overflow_or_vanish_when_squared_are_not_safe() -> None:
    rows = np.array([[1, 0], [1e20, 0], [1e-20, 0], [0, 0], [1e-20, 1]], np.float32)

    assert is_float32_safe(rows).tolist() == [True, False, False, True, True]


def test_cosine_noise_below_the_documented_decimals_is_rounded_away() -> None:
    query = np.array([1, 0], np.float32)
    nearly = np.array([[1, 1e-7]], np.float32)

    assert COSINE_DECIMALS == 12
    assert measure(query, nearly, "cosine").tolist() == [0.0]
