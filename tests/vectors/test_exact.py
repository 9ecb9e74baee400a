from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.factories import random_rows
from vectors.distances import DISTANCES, Distance, measure, prepare
from vectors.exact import nearest, row_norms


def by_hand(query: NDArray[np.float32], rows: NDArray[np.float32], k: int, distance: Distance) -> set[int]:
    """Return the positions of the k nearest, ties at the end included, by measuring all of them."""
    distances = measure(query, rows, distance)
    return set(np.flatnonzero(distances <= np.sort(distances)[min(k, len(rows)) - 1]).tolist())


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("k", [1, 7, 500, 600])
def test_nearest_is_what_measuring_everything_gives(distance: Distance, k: int) -> None:
    rows = prepare(random_rows(500, 24), distance)
    queries = prepare(random_rows(6, 24, seed=1), distance)

    for query, near in zip(queries, nearest(queries, rows, row_norms(rows), k, distance), strict=True):
        assert set(near.positions.tolist()) == by_hand(query, rows, k, distance)
        assert near.distances.tolist() == sorted(near.distances.tolist())


@settings(max_examples=60, deadline=None)
@given(
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6, -1e9]),
    spread=st.sampled_from([1e-6, 1e-3, 1.0]),
    seed=st.integers(0, 1000),
    distance=st.sampled_from(DISTANCES),
)
def test_data_that_cancel_in_float32_are_still_searched_exactly(
    offset: float, spread: float, seed: int, distance: Distance
) -> None:
    rows = prepare((random_rows(300, 8, seed) * spread + offset).astype(np.float32), distance)
    query = rows[seed % 300 : seed % 300 + 1]

    near = nearest(query, rows, row_norms(rows), 5, distance)[0]

    assert set(near.positions.tolist()) == by_hand(query[0], rows, 5, distance)


def test_all_equal_rows_come_back_whatever_k_is() -> None:
    rows = np.tile(random_rows(1, 16), (100, 1))

    near = nearest(rows[:1], rows, row_norms(rows), 3, "euclidean")[0]

    assert len(near.positions) == 100
    assert not near.distances.any()


def test_numbers_beyond_float32_squares_are_handled_in_float64() -> None:
    rows = np.array([[1e30, 0], [1.0001e30, 0], [-1e30, 0], [1e-30, 0]], np.float64)

    near = nearest(rows[:1], rows, row_norms(rows), 2, "euclidean")[0]

    assert near.positions.tolist() == [0, 1]


def test_no_rows_give_no_neighbours() -> None:
    rows = np.empty((0, 4), np.float32)

    assert nearest(random_rows(2, 4), rows, row_norms(rows), 3, "dot")[1].positions.tolist() == []
