"""The sample of scored runs, read in the plainest way: what the pipeline is given after ingestion."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from distillation.pipeline_types import EvalItem, Run

SAMPLE = Path(__file__).parent / "scored_runs_sample"
CONFLICT = "duplicate_run_id_conflict"


@cache
def expected() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / "expected.jsonl").read_text().splitlines()]


@cache
def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLE / "expected_summary.json").read_text())
    return found


@cache
def sample_runs() -> tuple[Run, ...]:
    disputed = {row["run_id"] for row in expected() if row["code"] == CONFLICT}
    return tuple(_run(row, disputed) for row in expected() if row["ingest"] == "ingested")


@cache
def sample_items() -> tuple[EvalItem, ...]:
    lines = (SAMPLE / "eval_sets" / "holdout.jsonl").read_text().splitlines()
    return tuple(
        EvalItem("holdout", item["id"], item["prompt"], item["answer"]) for item in (json.loads(line) for line in lines)
    )


@cache
def _lines(file: str) -> list[bytes]:
    return (SAMPLE / file).read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")


def _run(row: dict[str, Any], disputed: set[str]) -> Run:
    content = json.loads(_lines(row["file"])[row["line"] - 1])
    return Run(
        run_id=content["run_id"],
        task_id=content["task_id"],
        category=content["category"],
        source=content["source"],
        attempt=content.get("attempt", 1),
        score=content.get("score"),
        scored_at=datetime.fromisoformat(content["scored_at"]),
        is_disputed=content["run_id"] in disputed,
        content=content,
    )
