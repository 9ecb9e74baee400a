"""Survivors, attempts, pairs, KTO and splits."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from distillation.pipeline_types import EvalItem, PipelineConfig, Run
from distillation.splits import split_of
from tests.distillation.runs import LONG, OTHER, decision, export, fates, run


def same(run_id: str, **fields: Any) -> Run:
    return run(run_id, **({"prompt": LONG, "response": OTHER} | fields))


def own_words(name: str) -> str:
    return " ".join(f"{name}{number}" for number in range(300))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"score": 0.6}, {"score": 0.5}),
        ({"score": 0.0}, {"score": None}),
        ({"score": None, "minutes": 1}, {"score": None, "minutes": 2}),
        ({"minutes": 1}, {"minutes": 2}),
        ({}, {}),
    ],
)
@pytest.mark.parametrize("ending", ["", " again"])
def test_the_survivor_has_the_higher_score_then_is_earlier_then_has_the_smaller_id(
    first: dict[str, Any], second: dict[str, Any], ending: str
) -> None:
    # The better one has the greater id, unless the id decides.
    one, other = ("a", "b") if first == second else ("b", "a")
    runs = [same(one, **first), same(other, **second, response=OTHER + ending)]

    found = decision(other, runs)

    assert found.outcome == ("near_duplicate" if ending else "exact_duplicate")
    assert found.evidence["of"] == one


def test_a_neighbour_of_a_contaminated_row_falls_though_it_would_survive() -> None:
    item = EvalItem("e", "i", LONG, "")
    broken = " ".join(word + (" indeed" if place % 7 == 6 else "") for place, word in enumerate(LONG.split()))
    body = " ".join(f"word{number}" for number in range(250))
    runs = [
        run("a", prompt=broken, response=body, score=0.9),
        run("b", prompt=LONG, response=body, score=0.1),
        run("c", prompt=broken, response=body + " so", score=0.8),
    ]

    found = {one.run_id: one for one in export(runs, [item]).decisions}

    assert [found[name].outcome for name in "abc"] == ["contaminated_neighbor", "contaminated", "contaminated_neighbor"]
    assert found["a"].evidence["neighbor_of"] == "b"
    assert "of" not in found["a"].evidence


ATTEMPTS = [
    run("a", task="t", prompt="p", score=0.5, attempt=1),
    run("b", task="t", prompt="P ", score=0.5, attempt=2),
    run("c", task="t", prompt="p", score=0.4, attempt=3),
    run("d", task="t", prompt="p", score=0.5, attempt=2),
    run("e", task="t", prompt="p", score=0.1, attempt=3, minutes=1),
    run("f", task="u", prompt="p", score=0.1),
    run("g", task="t", prompt="other", score=0.1),
    run("h", task="t", prompt="p", score=0.1, system="be brief"),
]


@pytest.mark.parametrize(("policy", "taken"), [("best", "bfgh"), ("latest", "efgh"), ("all", "abcdefgh")])
def test_attempts_of_a_task_and_prompt_are_chosen_by_the_policy(policy: str, taken: str) -> None:
    assert "".join(row.run_id for row in export(ATTEMPTS, attempts=policy).rows) == taken


def test_a_superseded_attempt_names_the_one_that_was_taken() -> None:
    assert decision("c", ATTEMPTS).evidence == {"of": "b"}
    assert decision("c", ATTEMPTS).outcome == "superseded_attempt"


PREFERENCE = [
    run("best", task="t", prompt="p", score=0.9),
    run("good", task="t", prompt="p", score=0.8),
    run("part", task="t", prompt="p", score=1.0, category="partially_accepted"),
    run("hmm", task="t", prompt="p", category="needs_human_review"),
    *(run(f"bad{place}", task="t", prompt="p", category="rejected", score=place / 10) for place in range(5)),
    run("none", task="t", prompt="p", category="rejected", score=None),
    run("alone", task="t", prompt="q"),
    run("lost", task="u", prompt="p", category="rejected"),
]


def test_the_best_accepted_run_stands_against_the_best_rejected_ones() -> None:
    pairs = [(pair.chosen.run_id, pair.rejected.run_id) for pair in export(PREFERENCE, kind="preference").pairs]

    assert pairs == [("best", "bad4"), ("best", "bad3"), ("best", "bad2"), ("best", "bad1")]


def test_every_run_outside_of_a_pair_has_its_reason() -> None:
    found = fates(PREFERENCE, kind="preference")

    assert {name: fate for name, fate in found.items() if fate != "exported"} == {
        "good": "superseded_attempt",
        "part": "partial_excluded",
        "hmm": "firewall_blocked",
        "bad0": "pair_limit",
        "none": "pair_limit",
        "alone": "no_partner",
        "lost": "no_partner",
    }


def test_partially_accepted_runs_may_be_chosen_when_asked_for() -> None:
    pairs = export(PREFERENCE, kind="preference", include_partial=True, max_pairs_per_prompt=1).pairs

    assert [(pair.chosen.run_id, pair.chosen.role, pair.rejected.role) for pair in pairs] == [
        ("part", "chosen", "rejected")
    ]


def test_both_sides_are_sifted_apart() -> None:
    runs = [
        same("a", task="t"),
        same("b", task="u", category="rejected", response=OTHER + " not"),
        same("c", task="v", category="rejected", response=OTHER + " never"),
    ]

    assert fates(runs, kind="kto") == {"a": "exported", "b": "exported", "c": "near_duplicate"}


def test_kto_takes_all_attempts() -> None:
    assert len(export(ATTEMPTS, kind="kto").rows) == len(ATTEMPTS)


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": LONG.upper()},
        {"prompt": LONG + " now"},
        {"prompt": LONG + " now", "category": "rejected"},
        {"prompt": LONG, "system": "be brief"},
        {"prompt": "x", "context": LONG + " " + " ".join(f"c{number}" for number in range(90))},
    ],
)
def test_tasks_with_equal_or_near_prompts_are_one_group(other: dict[str, Any]) -> None:
    first = {"prompt": LONG} if "context" not in other else {**other, "prompt": "z"}
    first, other = ({"response": own_words(name)} | body for name, body in (("a", first), ("b", other)))
    runs = [run("a", task="t2", **first), run("b", task="t1", **other)]

    rows = export(runs, kind="kto").rows

    assert [row.group for row in rows] == ["t1", "t1"]


def test_a_fallen_duplicate_links_its_task_with_the_survivors() -> None:
    runs = [same("a", task="t5", score=0.9), same("b", task="t1"), run("c", task="t1"), run("d", task="t7")]

    assert {row.run_id: row.group for row in export(runs).rows} == {"a": "t1", "c": "t1", "d": "t7"}


def test_the_split_is_the_documented_hash() -> None:
    config = PipelineConfig()
    names = [f"task-{number:04}" for number in range(3_000)]
    for name in names[:200]:
        drawn = int.from_bytes(hashlib.sha256(f"split-v1\x1f{name}".encode()).digest()[:8], "big") / 2**64
        assert split_of(name, config) == ("test" if drawn < 0.05 else "validation" if drawn < 0.1 else "train")

    splits = [split_of(name, config) for name in names]

    assert 100 < splits.count("test") < 200
    assert 100 < splits.count("validation") < 200
