"""What must hold for every input: one fate each, no order of runs matters, nothing blocked in a positive place."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.errors import FirewallBreach, NotConserved
from distillation.firewall import POSITIVE_ROLES, Category, may_stand
from distillation.pipeline import run_pipeline
from distillation.pipeline_types import EvalItem, Outcome, PipelineConfig, PipelineResult, Row, Run, Sample
from distillation.selection import Selected, select
from distillation.texts import words
from tests.distillation.runs import LONG, OTHER, export, run
from tests.distillation.sample_runs import sample_items, sample_runs

KINDS: tuple[Literal["sft", "preference", "kto"], ...] = ("sft", "preference", "kto")
ITEMS = [
    EvalItem("e", "long", "which dock had lost its clock near the loading ramp at night", "b"),
    EvalItem("e", "s", "why", "so"),
]


def prompt_of(sample: Sample) -> str:
    return " ".join([sample.instruction, *(turn.content for turn in sample.turns), sample.context])


def texts_of(sample: Sample) -> str:
    return f"{prompt_of(sample)} {sample.response}"


def jaccard(one: str, other: str) -> float:
    first, second = (words(text) for text in (one, other))
    runs = [
        {tuple(own[at : at + 5]) for at in range(max(1, len(own) - 4))} if own else set() for own in (first, second)
    ]
    return len(runs[0] & runs[1]) / max(1, len(runs[0] | runs[1]))


def rows_of(result: PipelineResult) -> list[Row]:
    return [*result.rows, *(row for pair in result.pairs for row in (pair.chosen, pair.rejected))]


@st.composite
def worlds(draw: st.DrawFn) -> list[Run]:
    """Few tasks, prompts and answers, so that everything collides; a mark of its own in the answer of some runs."""
    prompts = st.sampled_from(
        [LONG, LONG + " again", OTHER, "why", "Why ", "please tell me why now", f"{OTHER} a@b.org"]
    )
    answers = st.sampled_from(
        [OTHER, LONG, OTHER.upper(), OTHER + " so", "so", "AKIA" + "Q" * 16, "call +49 30 1234567"]
    )
    runs = []
    for number in range(draw(st.integers(1, 14))):
        prompt, answer = draw(prompts), draw(answers)
        if draw(st.booleans()):
            answer = f"{answer} mark{number}x"
        history = {"role": "assistant", "content": draw(answers)}
        turns = [{"role": "user", "content": prompt}, history, {"role": "user", "content": prompt}]
        messages = [*turns, {"role": "assistant", "content": answer}][draw(st.integers(0, 2)) :]
        body: dict[str, Any] = {"prompt": prompt, "response": answer, "context": draw(st.sampled_from([None, LONG]))}
        body = draw(st.sampled_from([body, body, {"messages": messages}]))
        runs.append(
            run(
                f"run-{number:02}",
                task=draw(st.sampled_from(["t1", "t2", "t3"])),
                category=draw(st.sampled_from([*Category, *[Category.ACCEPTED] * 4])).value,
                score=draw(st.sampled_from([None, 0.0, 0.5, 0.9])),
                attempt=draw(st.integers(1, 3)),
                minutes=draw(st.integers(0, 2)),
                disputed=draw(st.integers(0, 9)) == 0,
                **body,
            )
        )
    return runs


def configs() -> st.SearchStrategy[PipelineConfig]:
    return st.builds(
        PipelineConfig,
        kind=st.sampled_from(KINDS),
        include_partial=st.booleans(),
        attempts=st.sampled_from(["best", "latest", "all"]),
        max_pairs_per_prompt=st.integers(1, 3),
    )


@given(worlds(), configs())
def test_every_run_has_exactly_one_fate_and_rows_agree_with_it(runs: list[Run], config: PipelineConfig) -> None:
    result = run_pipeline(runs, ITEMS, config)

    assert [decision.run_id for decision in result.decisions] == sorted(run.run_id for run in runs)
    exported = {one.run_id for one in result.decisions if one.outcome == Outcome.EXPORTED}
    assert exported == {row.run_id for row in rows_of(result)}
    assert [stage[1] for stage in result.stages[1:]] == [stage[2] for stage in result.stages[:-1]]
    assert (result.stages[0][1], result.stages[-1][2]) == (len(runs), len(exported))


@given(worlds(), configs(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(runs: list[Run], config: PipelineConfig, pick: random.Random) -> None:
    other, items = list(runs), list(ITEMS)
    pick.shuffle(other)
    pick.shuffle(items)

    one, two = run_pipeline(runs, ITEMS, config), run_pipeline(iter(other), items, config)

    assert replace(one, seconds={}) == replace(two, seconds={})


@given(worlds(), configs())
def test_no_row_stands_where_the_firewall_forbids_it(runs: list[Run], config: PipelineConfig) -> None:
    result = run_pipeline(runs, ITEMS, config)

    rows = rows_of(result)
    assert all(may_stand(row.category, row.role, include_partial=config.include_partial) for row in rows)
    disputed = {one.run_id for one in runs if one.is_disputed}
    assert not disputed & {row.run_id for row in rows}
    categories = {one.run_id: one.category for one in runs}
    assert all(row.category == categories[row.run_id] for row in rows)


@given(worlds(), configs())
def test_no_text_of_a_blocked_run_stands_in_a_positive_row(runs: list[Run], config: PipelineConfig) -> None:
    blocked = {Category.REJECTED, Category.NEEDS_HUMAN_REVIEW}
    marks = {f"mark{int(one.run_id[-2:])}x" for one in runs if one.category in blocked}

    for row in rows_of(run_pipeline(runs, ITEMS, config)):
        held = set(texts_of(row.sample).split())
        if row.role in POSITIVE_ROLES:
            assert not held & marks
        assert not held & {mark for mark in marks if f"run-{mark[4:-1]:0>2}" != row.run_id}


@given(worlds(), configs())
def test_rows_of_different_splits_share_no_task_and_are_not_alike(runs: list[Run], config: PipelineConfig) -> None:
    half = replace(config, test_share=0.3, validation_share=0.3)

    rows = rows_of(run_pipeline(runs, ITEMS, half))

    for one, other in itertools.combinations(rows, 2):
        if one.split != other.split:
            assert one.task_id != other.task_id
            assert jaccard(texts_of(one.sample), texts_of(other.sample)) < config.near_duplicate_jaccard
            assert jaccard(prompt_of(one.sample), prompt_of(other.sample)) < config.near_duplicate_jaccard


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_comes_out_the_same_from_any_order(kind: Literal["sft", "preference", "kto"]) -> None:
    config = PipelineConfig(kind=kind)
    runs = list(sample_runs())
    expected = run_pipeline(runs, sample_items(), config)

    for seed in range(3):
        random.Random(seed).shuffle(runs)
        result = run_pipeline(runs, sample_items()[::-1], config)
        assert replace(result, seconds={}) == replace(expected, seconds={})


def test_a_run_that_comes_twice_stops_the_export() -> None:
    with pytest.raises(NotConserved, match="twice"):
        export([run("a", category="rejected"), run("a", category="rejected")])


def test_an_unknown_category_is_blocked() -> None:
    result = export([run("a", category="Accepted"), run("b", category="")], include_partial=True)

    assert [one.outcome for one in result.decisions] == [Outcome.FIREWALL_BLOCKED] * 2


def test_progress_hears_of_every_stage() -> None:
    heard: list[str] = []

    result = run_pipeline([run("a")], [], PipelineConfig(), progress=lambda stage, runs: heard.append(stage))

    assert set(heard) >= {stage[0] for stage in result.stages} - {"firewall", "synthesis"}


def test_nothing_gives_nothing() -> None:
    for kind in KINDS:
        result = export([], sample_items(), kind=kind)
        assert (result.decisions, result.rows, result.pairs) == ([], [], [])


@pytest.mark.parametrize("category", ["rejected", "needs_human_review", "partially_accepted", "unheard_of"])
def test_a_row_that_slipped_through_stops_the_export(category: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if a stage before had a fault: the last look at each row does not trust them.
    chosen = select

    def faulty(*given: Any) -> Selected:
        found = chosen(*given)
        return replace(found, rows=[(replace(row, category=category), role) for row, role in found.rows])

    monkeypatch.setattr("distillation.pipeline.select", faulty)

    with pytest.raises(FirewallBreach, match=category):
        export([run("a")])
