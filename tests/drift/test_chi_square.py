from __future__ import annotations

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from drift import chi_square
from drift.categorical import mcnemar_exact_p
from drift.multiple import benjamini_hochberg


@given(statistic=st.floats(0, 1500), df=st.integers(1, 300))
def test_the_tail_is_that_of_scipy(statistic: float, df: int) -> None:
    assert chi_square.survival(statistic, df) == pytest.approx(scipy.stats.chi2.sf(statistic, df), rel=1e-9, abs=1e-300)


@given(df=st.integers(1, 300), probability=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_quantile_is_that_of_scipy(df: int, probability: float) -> None:
    assert chi_square.quantile(probability, df) == pytest.approx(scipy.stats.chi2.ppf(probability, df), rel=1e-10)


def test_without_degrees_of_freedom_nothing_is_significant() -> None:
    assert (chi_square.survival(10.0, 0), chi_square.quantile(0.95, 0)) == (1.0, 0.0)


@given(one=st.integers(0, 60), other=st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial_test(one: int, other: int) -> None:
    expected = scipy.stats.binomtest(one, one + other, 0.5).pvalue if one + other else 1.0

    assert mcnemar_exact_p(one, other) == pytest.approx(expected, rel=1e-9)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=30), alpha=st.floats(0.001, 0.5))
def test_benjamini_hochberg_is_that_of_scipy(p_values: list[float], alpha: float) -> None:
    adjusted = scipy.stats.false_discovery_control(p_values)

    for stands, value in zip(benjamini_hochberg(p_values, alpha), adjusted, strict=True):
        # Where the two sides are equal but for rounding, either answer is right.
        assert stands == (value <= alpha) or value == pytest.approx(alpha, rel=1e-9)
