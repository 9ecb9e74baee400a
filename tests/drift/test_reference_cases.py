from __future__ import annotations

from typing import Any

import pytest

from drift.audit import build_audit_drift_table
from drift.categorical import compute_scorer_drift
from drift.embedding import compute_embedding_drift
from drift.psi import compute_distribution_drift
from tests.drift.cases import cases, differences, numbers


def named(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases(kind)]


@pytest.mark.parametrize("case", named("distribution"))
def test_distribution_drift_is_that_of_the_case(case: dict[str, Any]) -> None:
    found = compute_distribution_drift(numbers(case["reference"]), numbers(case["current"]), **case["args"])

    assert differences(case["expected"], found.to_dict()) == []


@pytest.mark.parametrize("case", named("scorer"))
def test_scorer_drift_is_that_of_the_case(case: dict[str, Any]) -> None:
    found = compute_scorer_drift(case["before"], case["after"])

    assert differences(case["expected"], found.to_dict()) == []


@pytest.mark.parametrize("case", named("audit"))
def test_the_audit_table_is_that_of_the_case(case: dict[str, Any]) -> None:
    found = build_audit_drift_table(case["baseline"], case["current"], **case["args"])

    assert differences(case["expected"], found.to_dict()) == []


@pytest.mark.parametrize("case", named("embedding"))
def test_embedding_drift_is_that_of_the_case(case: dict[str, Any]) -> None:
    found = compute_embedding_drift(case["reference"], case["current"], seed=0)

    assert differences(case["expected"], found.to_dict()) == []


def test_a_difference_is_seen() -> None:
    assert differences({"a": 1.0, "b": [1, 2]}, {"a": 1.0 + 1e-6, "b": [1, 3], "c": 0}) == [
        "/a: 1.0 expected, 1.000001 found",
        "/b/1: 2 expected, 3 found",
    ]
