from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.profiles import NumberProfile, build_profile, compute_profile_drift

finite = st.floats(allow_nan=False, allow_infinity=False)
binnings = st.sampled_from(["equal_width", "quantile"])


@given(
    reference=st.lists(st.one_of(finite, st.none(), st.just(float("inf"))), max_size=60),
    current=st.lists(finite, min_size=1, max_size=60),
    binning=binnings,
)
def test_a_stored_profile_compares_like_the_one_it_was(
    reference: list[float], current: list[float], binning: str
) -> None:
    profile = build_profile(reference, binning=binning)  # type: ignore[arg-type]
    stored = NumberProfile.from_dict(json.loads(json.dumps(profile.to_dict())))

    found = compute_profile_drift(stored, current)

    assert stored == profile
    assert profile.n + profile.missing == len(reference)
    assert sum(profile.counts) == profile.n
    assert found == compute_profile_drift(profile, current)
    assert found.psi >= 0.0
    assert sum(row.current_count for row in found.rows) in {0, len(current)}


@given(values=st.lists(finite, min_size=1, max_size=60), binning=binnings)
def test_the_sample_itself_has_not_drifted(values: list[float], binning: str) -> None:
    assert compute_profile_drift(build_profile(values, binning=binning), values).psi == 0.0  # type: ignore[arg-type]


def test_the_largest_float_is_in_the_last_bucket() -> None:
    largest = sys.float_info.max

    profile = build_profile([-largest, 0.0, largest], buckets=2)

    assert (sum(profile.counts), profile.counts[-1]) == (3, 2)
    assert compute_profile_drift(profile, [largest]).n_current == 1


def test_values_beyond_the_reference_lie_in_the_outer_buckets() -> None:
    profile = build_profile(np.linspace(0, 1, 101), buckets=4)

    found = compute_profile_drift(profile, [-5.0, 0.0, 1.0, 1.1, 7.0])

    assert [row.current_count for row in found.rows] == [1, 1, 0, 0, 1, 2]
    assert found.rows[0].reference_count == found.rows[-1].reference_count == 0


def test_a_shift_alerts_and_no_shift_does_not() -> None:
    rng = np.random.default_rng(3)
    profile = build_profile(rng.normal(size=500))

    assert compute_profile_drift(profile, rng.normal(1.0, size=500)).alert
    assert not compute_profile_drift(profile, rng.normal(size=500)).alert


@pytest.mark.parametrize("values", [[], [None]])
def test_without_data_on_a_side_there_is_no_verdict(values: list[float]) -> None:
    assert compute_profile_drift(build_profile(values), [1.0]).verdict == "insufficient_data"
    assert compute_profile_drift(build_profile([1.0]), values).verdict == "insufficient_data"
