from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.firewall import Category
from drift.categorical import compute_category_drift, compute_scorer_drift

categories = st.sampled_from([*(category.value for category in Category), "excellent"])
verdicts = st.dictionaries(st.integers(0, 40).map(str), categories)
tallies = st.dictionaries(categories, st.integers(0, 500))


@given(before=verdicts, after=verdicts)
def test_going_there_and_back_swaps_what_has_a_direction(before: dict[str, str], after: dict[str, str]) -> None:
    there, back = compute_scorer_drift(before, after), compute_scorer_drift(after, before)

    assert (there.firewall_opened, there.upgrades) == (back.firewall_closed, back.downgrades)
    assert (there.changed, there.bowker, there.mcnemar_exact_p) == (back.changed, back.bowker, back.mcnemar_exact_p)
    assert there.category_psi == back.category_psi
    assert sum(count for *_, count in there.transitions) == there.n_common
    json.dumps(there.to_dict(), allow_nan=False)


@given(runs=verdicts)
def test_verdicts_are_stable_beside_themselves(runs: dict[str, str]) -> None:
    found = compute_scorer_drift(runs, runs)

    assert (found.changed, found.category_psi, found.bowker_p) == (0, 0.0, 1.0)
    assert found.verdict == ("stable" if runs else "insufficient_data")


def test_the_runs_that_crossed_the_firewall_are_named() -> None:
    before = {"a": "rejected", "b": "accepted", "c": "needs_human_review", "d": "rejected"}
    after = {"a": "partially_accepted", "b": "unheard-of", "c": "rejected", "d": "rejected"}

    found = compute_scorer_drift(before, after).to_dict()

    assert (found["firewall_opened_runs"], found["firewall_closed_runs"]) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("changed", "verdict"), [(0, "stable"), (1, "stable"), (2, "minor"), (9, "minor"), (10, "major")]
)
def test_the_rate_of_changes_decides(changed: int, verdict: str) -> None:
    before = {str(n): "accepted" for n in range(200)}
    after = before | {str(n): "partially_accepted" for n in range(changed)}

    assert compute_scorer_drift(before, after).verdict == verdict


def test_what_is_no_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="after: expected ids and categories as text"):
        compute_scorer_drift({}, {"a": 1})  # type: ignore[dict-item]


@given(reference=tallies, current=tallies)
def test_category_drift_is_symmetric_and_finite(reference: dict[str, int], current: dict[str, int]) -> None:
    one, other = compute_category_drift(reference, current), compute_category_drift(current, reference)

    assert one.psi == other.psi >= 0.0
    assert 0.0 <= one.p_value <= 1.0
    assert (sum(one.reference_counts), sum(one.current_counts)) in {(one.n_reference, one.n_current), (0, 0)}


@given(tally=tallies, factor=st.integers(1, 5))
def test_the_same_shares_are_no_drift(tally: dict[str, int], factor: int) -> None:
    found = compute_category_drift(tally, {name: factor * count for name, count in tally.items()})

    assert found.psi == pytest.approx(0.0, abs=1e-12)
    assert not found.alert


def test_a_category_nobody_had_before_is_drift() -> None:
    found = compute_category_drift({"accepted": 100}, {"accepted": 80, "rejected": 20})

    assert found.alert
    assert found.tier == "major"
