"""Runs with defaults, for tests of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from distillation.pipeline import run_pipeline
from distillation.pipeline_types import Decision, EvalItem, PipelineConfig, PipelineResult, Run

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = (
    "the night shift counted every pallet twice because the scanner near the loading dock had lost its clock "
    "and nobody trusted the totals that it printed at the end of the week"
)
OTHER = (
    "a clerk in the payroll office explains how overtime is rounded when a worker leaves early on one day and "
    "stays late on another within the same pay period of the agency"
)


def run(
    run_id: str,
    *,
    task: str = "",
    category: str = "accepted",
    score: float | None = 0.5,
    attempt: int = 1,
    minutes: float = 0,
    disputed: bool = False,
    **content: Any,
) -> Run:
    """Return a run; unless its texts are given they are its own and like no other's."""
    body = {"prompt": f"question of {run_id}", "response": f"answer of {run_id}"} | content
    if "messages" in content:
        body = content
    return Run(
        run_id=run_id,
        task_id=task or f"task-of-{run_id}",
        category=category,
        source="tests",
        attempt=attempt,
        score=score,
        scored_at=NOON + timedelta(minutes=minutes),
        is_disputed=disputed,
        content=body,
    )


def export(runs: Sequence[Run], items: Sequence[EvalItem] = (), **config: Any) -> PipelineResult:
    return run_pipeline(runs, items, PipelineConfig(**config))


def fates(runs: Sequence[Run], items: Sequence[EvalItem] = (), **config: Any) -> dict[str, str]:
    return {decision.run_id: decision.outcome.value for decision in export(runs, items, **config).decisions}


def decision(run_id: str, runs: Sequence[Run], items: Sequence[EvalItem] = (), **config: Any) -> Decision:
    return next(found for found in export(runs, items, **config).decisions if found.run_id == run_id)
