from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Results, Series, Table, percentile

FLOATS = st.floats(min_value=-1e6, max_value=1e6)


def test_percentile_is_the_value_that_this_share_does_not_exceed() -> None:
    values = [float(i) for i in range(100, 0, -1)]

    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]


@given(st.lists(FLOATS, min_size=1), st.floats(min_value=0, max_value=1))
def test_at_least_its_share_of_all_values_is_not_above_a_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_series_knows_its_median_and_its_noise() -> None:
    series = Series([10.0, 8.0, 12.0])

    assert (series.median, series.noise) == (10.0, 0.4)


def test_ratios_compare_medians_and_are_absent_where_a_row_is() -> None:
    table = Table("speed", "speed", "1/s", service="service", limit="hnswlib")
    for value in (1.0, 2.0, 9.0):
        table.add("service", "one", value)
    table.add("peer", "one", 1.0)

    assert table.ratio("peer", "one", table.service) == 0.5
    assert table.ratio("peer", "one", table.limit) is None
    assert table.ratio("peer", "eight", table.service) is None


def test_ratios_are_taken_within_rounds() -> None:
    table = Table("speed", "speed", "1/s")
    for speed in (10.0, 1.0, 6.0):  # the machine was busy with something else in the second round
        table.add("service", "one", speed)
        table.add("peer", "one", speed / 2)

    assert table.ratio("peer", "one", "service") == 0.5


def test_a_table_of_a_later_round_is_that_of_the_first() -> None:
    results = Results()
    first = results.table(Table("a", "A", "s"))

    assert results.table(Table("a", "A", "s")) is first


def test_a_note_is_made_once() -> None:
    results = Results()
    results.note("x")
    results.note("x")

    assert results.notes == ["x"]
