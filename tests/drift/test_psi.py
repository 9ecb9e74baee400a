from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from drift.buckets import count_buckets
from drift.psi import compute_distribution_drift
from drift.shapes import ks_and_wasserstein

finite = st.floats(allow_nan=False, allow_infinity=False)
hostile = st.one_of(
    st.floats(),
    st.sampled_from([1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 0.0, -0.0, math.nan, math.inf, -math.inf]),
    st.none(),
    st.integers(-(10**400), 10**400),
    st.booleans(),
)
hostile_sides = st.one_of(st.lists(hostile, max_size=30), st.builds(lambda x, n: [x] * n, hostile, st.integers(0, 30)))
sides = st.lists(finite, min_size=1, max_size=60)
small = st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=60)
binnings = st.sampled_from(["equal_width", "quantile"])
bucket_numbers = st.integers(-5, 150)


@given(side=hostile_sides, buckets=bucket_numbers, binning=binnings)
def test_psi_of_a_sample_with_itself_is_zero(side: list[float], buckets: int, binning: str) -> None:
    found = compute_distribution_drift(side, side, buckets=buckets, binning=binning)  # type: ignore[arg-type]

    assert found.psi == 0.0
    assert not found.alert
    assert found.ks in (0.0, None)
    assert found.wasserstein_norm in (0.0, None)


@given(reference=hostile_sides, current=hostile_sides, buckets=bucket_numbers, binning=binnings)
def test_whatever_comes_every_measure_is_a_number_in_its_range(
    reference: list[float], current: list[float], buckets: int, binning: str
) -> None:
    found = compute_distribution_drift(reference, current, buckets=buckets, binning=binning)  # type: ignore[arg-type]

    assert 0.0 <= found.psi < math.inf
    assert 0.0 <= found.p_value <= 1.0
    assert all(0.0 <= share <= 1.0 for share in (found.js_distance, found.hellinger, found.tvd, found.ks or 0.0))
    assert 0.0 <= (found.wasserstein_norm or 0.0) < math.inf
    assert found.quantile_psi is None or 0.0 <= found.quantile_psi < math.inf


@given(reference=hostile_sides, current=hostile_sides, buckets=bucket_numbers, binning=binnings)
def test_every_value_is_counted_once(reference: list[float], current: list[float], buckets: int, binning: str) -> None:
    found = compute_distribution_drift(reference, current, buckets=buckets, binning=binning)  # type: ignore[arg-type]

    assert found.n_reference + sum(found.dropped_reference.values()) == len(reference)
    assert found.n_current + sum(found.dropped_current.values()) == len(current)
    if found.verdict != "insufficient_data":
        assert sum(row.reference_count for row in found.rows) == found.n_reference
        assert sum(row.current_count for row in found.rows) == found.n_current
        assert tuple(map(sum, zip(*found.merged_rows, strict=True))) == (found.n_reference, found.n_current)


@given(reference=sides, current=sides, buckets=bucket_numbers)
def test_psi_is_symmetric_with_equal_width(reference: list[float], current: list[float], buckets: int) -> None:
    one = compute_distribution_drift(reference, current, buckets=buckets)
    other = compute_distribution_drift(current, reference, buckets=buckets)

    assert one.psi == other.psi


@given(reference=sides, current=sides, binning=binnings, randomness=st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(
    reference: list[float], current: list[float], binning: str, randomness: object
) -> None:
    shuffled = [reference.copy(), current.copy()]
    for side in shuffled:
        randomness.shuffle(side)  # type: ignore[attr-defined]

    one = compute_distribution_drift(reference, current, binning=binning)  # type: ignore[arg-type]
    other = compute_distribution_drift(*shuffled, binning=binning)  # type: ignore[arg-type]

    # The last digits of a standard deviation follow the order of the sum.
    assert replace(one, wasserstein_norm=None) == replace(other, wasserstein_norm=None)


@given(reference=small, current=small, power=st.integers(-900, 900), shift=st.integers(-(2**30), 2**30))
def test_scaling_and_shifting_both_sides_changes_nothing(
    reference: list[int], current: list[int], power: int, shift: int
) -> None:
    # Eight buckets of whole numbers whose range divides by eight: edges without rounding, on either side.
    low, high = min(reference + current), max(reference + current)
    reference = [*reference, low + 8 * ((high - low) // 8 + 1)]
    moved = [[math.ldexp(value + shift, power) for value in side] for side in (reference, current)]

    one = compute_distribution_drift(reference, current, buckets=8)
    other = compute_distribution_drift(*moved, buckets=8)

    assert one.psi == other.psi
    assert one.p_value == other.p_value
    assert one.ks == other.ks


@given(values=st.lists(finite, max_size=200), edges=st.lists(finite, max_size=140, unique=True))
def test_counts_are_those_of_a_search_for_every_value(values: list[float], edges: list[float]) -> None:
    array, interior = np.array(values, dtype=float), np.sort(np.array(edges, dtype=float))

    found = count_buckets(array, interior)

    expected = np.bincount(np.searchsorted(interior, array, side="right"), minlength=interior.size + 1)
    assert found.tolist() == expected.tolist()


@given(
    reference=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    current=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
)
def test_ks_and_wasserstein_are_those_of_scipy(reference: list[float], current: list[float]) -> None:
    first, second = np.array(reference), np.array(current)

    ks, distance = ks_and_wasserstein(first, second)

    expected = scipy.stats.wasserstein_distance(first, second) / max(first.std(), 1e-3)
    gaps = [abs(np.mean(first <= value) - np.mean(second <= value)) for value in (*reference, *current)]
    assert ks == pytest.approx(max(gaps), abs=1e-12)
    assert distance == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_counting_in_pieces_counts_all() -> None:
    values = np.random.default_rng(1).normal(size=100_003)

    found = compute_distribution_drift(values, values + 0.3)

    expected, _ = np.histogram(values, bins=np.array(found.edges))
    assert [row.reference_count for row in found.rows] == expected.tolist()


def test_an_outlier_that_blinds_equal_width_is_told_and_the_quantiles_still_see() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=200)
    current = np.append(rng.normal(1.0, size=199), 1e6)

    found = compute_distribution_drift(reference, current)

    assert found.psi < 0.10
    assert found.warnings == ("concentrated",)
    assert found.quantile_psi is not None
    assert found.quantile_psi >= 0.25


def test_without_distances_everything_else_is_the_same() -> None:
    reference, current = np.arange(50.0), np.arange(50.0) * 2

    full, fast = (compute_distribution_drift(reference, current, distances=wanted) for wanted in (True, False))

    assert (fast.ks, fast.wasserstein_norm) == (None, None)
    assert fast.rows == full.rows
    assert fast.p_value == full.p_value


@pytest.mark.parametrize(
    "values",
    ["123", b"123", ["1", "2"], [1.0, "2"], [None, "a"], [[1.0], [2.0]], [1 + 2j], 5.0, [[1], [1, 2]], [object()]],
)
def test_what_is_no_number_is_a_type_error(values: object) -> None:
    with pytest.raises(TypeError, match="current: Expected"):
        compute_distribution_drift([1.0], values)  # type: ignore[arg-type]


@pytest.mark.parametrize("epsilon", [0.0, -1e-4, 0.0100001, math.nan, math.inf])
def test_an_epsilon_out_of_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon is"):
        compute_distribution_drift([1.0], [2.0], epsilon=epsilon)


@pytest.mark.parametrize("arguments", [{"alpha": 0.0}, {"alpha": 1.0}, {"binning": "log"}, {"alpha": math.nan}])
def test_other_arguments_out_of_range_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"alpha|binning"):
        compute_distribution_drift([1.0], [2.0], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "u8", "bool", "O"])
def test_arrays_of_all_kinds_are_read_and_left_alone(dtype: str) -> None:
    values = np.array([0, 1, 1, 0, 1], dtype=dtype)
    before = values.tobytes() if dtype != "O" else values.tolist()

    found = compute_distribution_drift(values, values, buckets=2)

    assert [row.reference_count for row in found.rows] == [2, 3]
    assert (values.tobytes() if dtype != "O" else values.tolist()) == before


def test_json_has_no_infinite_number() -> None:
    found = compute_distribution_drift([1.0, 2.0, 3.0], [1.0, 2.0, 9.0], binning="quantile", buckets=3).to_dict()

    edges = found["edges"]
    assert isinstance(edges, list)
    assert (edges[0], edges[-1]) == ("-Infinity", "Infinity")
    assert all(math.isfinite(edge) for edge in edges[1:-1])


def test_neighbouring_floats_have_no_edge_between_them() -> None:
    found = compute_distribution_drift([1.0] * 20, [math.nextafter(1.0, 2.0)] * 20)

    assert (len(found.rows), found.psi) == (1, 0.0)
    assert found.ks == 1.0
    assert found.warnings == ("concentrated",)


def test_edges_among_the_smallest_floats_are_those_of_linspace() -> None:
    # 29 steps of the smallest float in ten buckets: rounding carries interior edges past the greatest value.
    values = [step * 5e-324 for step in range(-6, 30)]

    found = compute_distribution_drift(values, values[:20])

    assert found.edges == tuple(np.unique(np.linspace(values[0], values[-1], 11)).tolist())
    assert sum(row.reference_count for row in found.rows) == len(values)


def test_the_deviation_is_that_of_the_values_as_they_came() -> None:
    reference = np.random.default_rng(3).choice([1e16, 1e16 + 2, 1e16 + 4, 1e16 + 8], 300)

    found = compute_distribution_drift(reference, reference + 2)

    assert found.wasserstein_norm == pytest.approx(2 / reference.std(), rel=1e-12)
