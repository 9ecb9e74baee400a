"""Scored runs, exports and monitors with defaults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from distillation.models import Export, ScoredRun, ScoredRunFile
from drift.models import DriftMonitor
from drift.monitor_fields import parse_monitor
from drift.monitors import create_monitor

DAY = 86_400
START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def add_runs(
    scores: Sequence[float | None],
    at: datetime,
    *,
    category: str | Sequence[str] = "accepted",
    prefix: str = "",
    prompt_characters: int | Sequence[int] = 100,
    **facts: Any,
) -> None:
    """Store one run for each score, a second apart, each on a task of its own."""
    file, _ = ScoredRunFile.objects.get_or_create(path="p", sha256="0" * 64, size_bytes=1, started_at=START)
    prefix = prefix or f"r{ScoredRun.objects.count()}-"
    categories = [category] * len(scores) if isinstance(category, str) else category
    lengths = [prompt_characters] * len(scores) if isinstance(prompt_characters, int) else prompt_characters
    defaults: dict[str, Any] = {
        "source": "s",
        "scorer_name": "judge",
        "scorer_version": "1",
        "content_sha256": "0" * 64,
        "response_characters": 200,
        "file": file,
        "line": 1,
        "ingested_at": at,
    }
    ScoredRun.objects.bulk_create(
        ScoredRun(
            run_id=f"{prefix}{number}",
            task_id=f"task-{number}",
            score=score,
            scored_at=at + timedelta(seconds=number),
            category=categories[number],
            prompt_characters=lengths[number],
            content=json.dumps({"prompt": f"p{number}", "response": f"answer {number}"}),
            **(defaults | facts),
        )
        for number, score in enumerate(scores)
    )


def add_export(figures: dict[str, float], at: datetime, export_id: str, kind: str = "sft") -> Export:
    return Export.objects.create(
        export_id=export_id,
        kind=kind,
        status=Export.Status.COMPLETE,
        config={},
        key_figures=figures,
        started_at=at,
        finished_at=at,
    )


def make_monitor(**fields: Any) -> DriftMonitor:
    """Watch the scores of each day since `START` against the three days before."""
    defaults = {
        "name": "watch",
        "target": "scores",
        "reference": "rolling",
        "reference_windows": 3,
        "window_seconds": DAY,
        "first_window_end": day(4).isoformat(),
    }
    return create_monitor(fields=parse_monitor({**defaults, **fields}))
