"""The sample of scored runs in the database, and exports of it: plain functions for the tests of exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distillation.eval_set_files import read_eval_set
from distillation.export_request import EvalSetContent, make_request
from distillation.export_storage import object_name
from distillation.exports import ExportResult, create_export
from distillation.ingestion import ingest_scored_runs
from distillation.models import Export, ScoredRun
from distillation.posted_runs import ingest_body
from vectors.objects import open_object

SAMPLE = Path(__file__).parent / "scored_runs_sample"
HOLDOUT = SAMPLE / "eval_sets" / "holdout.jsonl"
SUMMARY: dict[str, Any] = json.loads((SAMPLE / "expected_summary.json").read_text())
SAMPLE_LINE_BYTES = 65_536


def ingest_sample() -> None:
    ingest_scored_runs(root=SAMPLE / "data", max_line_bytes=SAMPLE_LINE_BYTES)


def a_run(run_id: str, category: str = "accepted", **changes: Any) -> dict[str, Any]:
    """A valid line of its own task; texts are of words no other run has."""
    words = " ".join(f"{run_id}w{i}" for i in range(12))
    return {
        "run_id": run_id,
        "task_id": f"task-{run_id}",
        "category": category,
        "scored_at": "2026-03-01T12:00:00Z",
        "source": "support",
        "scorer": {"name": "rubric", "version": "1"},
        "prompt": f"question {words}",
        "response": f"answer {words}",
        **changes,
    }


def ingest(*runs: dict[str, Any]) -> None:
    body = "".join(json.dumps(run) + "\n" for run in runs).encode()
    before = ScoredRun.objects.count()
    ingest_body(sent=body, lines=body)
    assert ScoredRun.objects.count() == before + len(runs)


def holdout() -> EvalSetContent:
    return read_eval_set(HOLDOUT)


def export(out: Path | None = None, *, eval_sets: tuple[EvalSetContent, ...] = (), **wanted: Any) -> ExportResult:
    return create_export(request=make_request(**wanted), eval_sets=eval_sets, out=out)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def stored(export_id: str, name: str) -> bytes:
    with open_object(object_name(export_id, name)) as file:
        return file.read()


def the_export() -> Export:
    return Export.objects.get()
