"""Lines of scored runs for tests: plain functions with defaults, and files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db.models import Count, F

from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile

SAMPLE = Path(__file__).parent / "scored_runs_sample"
SAMPLE_MAX_LINE_BYTES = 65_536
DAY = "scored-runs/2026/03/01"


def fields(run_id: str = "run-1", **changes: Any) -> dict[str, Any]:
    """Return the fields of a valid run; a change to `...` takes the field away."""
    run = {
        "run_id": run_id,
        "task_id": "task-1",
        "category": "accepted",
        "scored_at": "2026-03-01T20:15:12Z",
        "source": "code.review",
        "prompt": "What is it?",
        "response": "It is this.",
        **changes,
    }
    return {name: value for name, value in run.items() if value is not ...}


def line(run_id: str = "run-1", **changes: Any) -> bytes:
    return json.dumps(fields(run_id, **changes)).encode()


def write_file(root: Path, content: bytes | Iterable[bytes], name: str = "runs.jsonl") -> Path:
    """Write a file of the first day below a root; of lines, each gets a line feed."""
    path = root / DAY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else b"".join(each + b"\n" for each in content))
    return path


def expected_rows() -> list[dict[str, Any]]:
    return [json.loads(row) for row in (SAMPLE / "expected.jsonl").read_text().splitlines()]


def assert_conserved() -> None:
    """Counts of every file are those of its rows, and add up."""
    runs = dict(ScoredRun.objects.values_list("file").annotate(number=Count("pk")))
    kept = QuarantinedLine.objects.exclude(status=QuarantinedLine.Status.RELEASED)
    faults = dict(kept.values_list("file").annotate(number=Count("pk")))
    for file in ScoredRunFile.objects.all():
        assert file.ingested == runs.get(file.pk, 0)
        assert file.quarantined == faults.get(file.pk, 0)
        parts = (file.blank, file.incomplete_tail, file.duplicate_identical, file.quarantined, file.ingested)
        assert file.lines == sum(parts)


def stored() -> list[tuple[Any, ...]]:
    """Return all that an ingestion stores, without times and row numbers."""
    runs = ScoredRun.objects.values_list("run_id", "content", "content_sha256", "is_disputed", "file__path", "line")
    faults = QuarantinedLine.objects.annotate(path=F("file__path")).values_list(
        "path", "line", "code", "run_id", "status", "size_bytes", "sha256"
    )
    counts = ("path", "sha256", "lines", "blank", "incomplete_tail", "duplicate_identical", "quarantined", "ingested")
    files = ScoredRunFile.objects.order_by("path", "sha256").values_list(*counts, "bytes_read")
    return [*runs.order_by("run_id"), *faults.order_by("path", "line"), *files]
