"""The pipeline against the sample: the fate of every run, every figure of the summary, every pair."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, Literal

import pytest

from distillation.pipeline import run_pipeline
from distillation.pipeline_types import PipelineConfig, PipelineResult
from tests.distillation.sample_runs import expected, sample_items, sample_runs, summary

EVIDENCE = ("of", "how", "coverage", "jaccard", "suspicious", "redacted")
INGESTED = [row for row in expected() if row["ingest"] == "ingested"]


@cache
def exported(kind: Literal["sft", "preference", "kto"]) -> PipelineResult:
    return run_pipeline(sample_runs(), sample_items(), PipelineConfig(kind=kind))


@pytest.mark.parametrize("row", INGESTED, ids=lambda row: f"{row['run_id']}-{row['kind']}")
def test_every_run_has_the_expected_fate_and_evidence(row: dict[str, Any]) -> None:
    decision = next(found for found in exported("sft").decisions if found.run_id == row["run_id"])

    assert decision.outcome == row["sft"]
    assert {name: decision.evidence.get(name) for name in EVIDENCE} == {name: row.get(name) for name in EVIDENCE}
    assert (decision.split, decision.group) == (row.get("split", ""), row.get("group", ""))


def test_the_counts_are_those_of_the_summary() -> None:
    result = exported("sft")
    counts = Counter(decision.outcome.value for decision in result.decisions)

    assert counts == {outcome: count for outcome, count in summary()["sft"].items() if outcome != "-"}
    assert Counter(row.split for row in result.rows) == summary()["splits"]
    assert sum("suspicious" in decision.evidence for decision in result.decisions) == summary()["suspicious"]
    assert result.redactions == {"email": 2}


def test_the_funnel_ends_with_what_is_exported() -> None:
    result = exported("sft")

    assert result.stages[0][1] == len(INGESTED)
    assert [stage[1] for stage in result.stages[1:]] == [stage[2] for stage in result.stages[:-1]]
    assert result.stages[-1][2] == len(result.rows) == summary()["sft"]["exported"]


def test_the_evaluation_items_are_counted() -> None:
    assert exported("sft").eval_hits == {
        "canary": {"canary": 1},
        "holdout": {
            "holdout-001": 2,
            "holdout-002": 1,
            "holdout-003": 2,
            "holdout-004": 2,
            "holdout-005": 1,
            "holdout-007": 1,
            "holdout-008": 1,
        },
    }


def test_the_preference_pairs_are_those_of_the_summary_in_that_order() -> None:
    pairs = [
        {
            "task_id": pair.chosen.task_id,
            "chosen": pair.chosen.run_id,
            "rejected": pair.rejected.run_id,
            "split": pair.chosen.split,
        }
        for pair in exported("preference").pairs
    ]

    assert pairs == summary()["preference_pairs"]


def test_kto_takes_accepted_as_true_and_rejected_as_false() -> None:
    roles = Counter(row.role for row in exported("kto").rows)

    assert roles == {"kto_true": summary()["kto"]["true"], "kto_false": summary()["kto"]["false"]}


def test_boilerplate_that_counts_would_cost_seventeen_rows() -> None:
    config = PipelineConfig(common_ngram_floor=1_000)

    result = run_pipeline(sample_runs(), sample_items(), config)

    assert result.eval_hits["holdout"]["holdout-006"] == 17
    assert len(result.rows) < summary()["sft"]["exported"]
