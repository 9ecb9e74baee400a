from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.audit import build_audit_drift_table

anything = st.one_of(
    st.floats(), st.integers(-(10**400), 10**400), st.none(), st.booleans(), st.text(max_size=3), st.just([1])
)
figures = st.dictionaries(st.text(max_size=3), anything, max_size=6)


@given(baseline=figures, current=figures)
def test_whatever_comes_there_is_one_row_a_metric_and_it_is_json(
    baseline: dict[str, object], current: dict[str, object]
) -> None:
    table = build_audit_drift_table(baseline, current)

    assert sorted(row.metric for row in table.rows) == sorted(baseline.keys() | current.keys())
    json.dumps(table.to_dict(), allow_nan=False)


@given(figures=st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False)))
def test_figures_are_stable_beside_themselves(figures: dict[str, float]) -> None:
    table = build_audit_drift_table(figures, figures)

    assert {row.status for row in table.rows} <= {"ok"}
    assert table.verdict == "stable"


@pytest.mark.parametrize(
    ("direction", "now", "status"),
    [
        ("any", 1.1, "warn"),
        ("any", 0.75, "alert"),
        ("lower_is_better", 0.5, "improved"),
        ("lower_is_better", 0.95, "ok"),
        ("higher_is_better", 0.5, "alert"),
        ("higher_is_better", 2.0, "improved"),
    ],
)
def test_a_change_counts_by_its_direction(direction: str, now: float, status: str) -> None:
    table = build_audit_drift_table({"m": 1.0}, {"m": now}, directions={"m": direction})  # type: ignore[dict-item]

    assert [row.status for row in table.rows] == [status]


def test_from_zero_to_better_is_an_improvement() -> None:
    table = build_audit_drift_table({"kept": 0}, {"kept": 5}, directions={"kept": "higher_is_better"})

    assert [(row.status, row.relative) for row in table.rows] == [("improved", None)]
    assert table.verdict == "stable"


@pytest.mark.parametrize("value", [math.nan, math.inf, None, True, "1", 10**400, [1]])
def test_what_is_no_finite_number_is_invalid(value: object) -> None:
    table = build_audit_drift_table({"m": value}, {"m": 1.0})

    assert [(row.status, row.baseline) for row in table.rows] == [("invalid", None)]
    assert table.verdict == "major"


@pytest.mark.parametrize(
    ("baseline", "current", "status"),
    [({"m": None}, {}, "missing"), ({"m": 1.0}, {}, "missing"), ({}, {"m": None}, "invalid"), ({}, {"m": 1.0}, "new")],
)
def test_a_metric_of_one_side_is_missing_or_new(
    baseline: dict[str, object], current: dict[str, object], status: str
) -> None:
    assert [row.status for row in build_audit_drift_table(baseline, current).rows] == [status]


def test_numbers_of_numpy_are_numbers() -> None:
    table = build_audit_drift_table(
        {"m": np.int64(10), "n": np.float32(2.0)}, {"m": np.int64(11), "n": np.float32(2.0)}
    )

    assert [(row.metric, row.status) for row in table.rows] == [("m", "warn"), ("n", "ok")]
    json.dumps(table.to_dict())


def test_differences_beyond_the_range_of_floats_are_alerts_without_a_number() -> None:
    table = build_audit_drift_table({"m": -1.7e308}, {"m": 1.7e308})

    assert [(row.status, row.delta, row.relative) for row in table.rows] == [("alert", None, None)]


@pytest.mark.parametrize(
    "arguments",
    [{"warn": 0.0}, {"warn": 0.3}, {"alert": math.inf}, {"warn": math.nan}, {"directions": {"m": "up"}}],
)
def test_thresholds_and_directions_out_of_range_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"warn|direction"):
        build_audit_drift_table({}, {}, **arguments)  # type: ignore[arg-type]
