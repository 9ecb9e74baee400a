from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.factories import random_rows
from vectors.distances import DISTANCES, Distance
from vectors.projection import SHOWN_COMPONENTS, project, summarise

matrices = arrays(np.float32, st.tuples(st.integers(0, 12), st.integers(1, 6)), elements=st.floats(-1e6, 1e6, width=32))


@given(matrices)
def test_a_projection_keeps_at_most_what_there_is(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    plane = project(rows, "euclidean")

    assert plane.points.shape == (len(rows), 2)
    assert np.isfinite(plane.points).all()
    assert 0 <= plane.share <= 1 + 1e-9
    centred = rows - rows.mean(axis=0, dtype=np.float64) if rows.size else rows
    assert (plane.points**2).sum() == pytest.approx(plane.share * (centred**2).sum(), rel=1e-6, abs=1e-6)


def test_points_of_a_plane_keep_their_distances() -> None:
    flat = random_rows(40, 2).astype(np.float64) * [5, 1]
    turn, _ = np.linalg.qr(random_rows(9, 9).astype(np.float64))
    rows = (np.pad(flat, ((0, 0), (0, 7))) @ turn + 3).astype(np.float32)

    plane = project(rows, "euclidean")

    before = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    after = np.linalg.norm(plane.points[:, None] - plane.points[None], axis=2)
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert plane.share == pytest.approx(1)
    assert plane.points[:, 0].var() > plane.points[:, 1].var()


def test_cosine_sees_directions_only() -> None:
    rows = random_rows(30, 5)
    lengths = np.linspace(1e-20, 1e20, 30, dtype=np.float32)[:, None]

    np.testing.assert_allclose(project(rows * lengths, "cosine").points, project(rows, "cosine").points, atol=1e-5)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_largest_numbers_do_not_overflow(distance: Distance) -> None:
    rows = random_rows(10, 3) * np.float32(1e37)

    assert np.isfinite(project(rows, distance).points).all()


def test_the_same_rows_lie_at_one_point() -> None:
    assert not project(np.ones((5, 3), np.float32), "dot").points.any()


def test_a_vector_in_short() -> None:
    summary = summarise(np.array([3, -4, *[0] * 10], np.float32))

    assert (summary.dimension, summary.norm, summary.low, summary.high) == (12, 5, -4, 3)
    assert summary.mean == pytest.approx(-1 / 12)
    assert summary.first == (3, -4, *[0] * (SHOWN_COMPONENTS - 2))
    assert summarise(np.full(3, 3e38, np.float32)).norm == pytest.approx(3e38 * 3**0.5, rel=1e-6)
