"""What there is of scored runs: pages of them, one with its fates, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet, Sum

from distillation.errors import RunNotFound
from distillation.loading import Ingest
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile, StageDecision
from lakehouse_site.errors import InvalidInput

MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; None is any. `scored_from` is included, `scored_before` is not."""

    category: str | None = None
    source: str | None = None
    task_id: str | None = None
    scorer: str | None = None
    scorer_version: str | None = None
    scored_from: datetime | None = None
    scored_before: datetime | None = None
    is_disputed: bool | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs in the order they were stored; `next` is where the page after this begins, None on the last."""

    runs: list[ScoredRun]
    next: str | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of everything that came in."""

    runs: int
    disputed: int
    by_category: Mapping[str, int]
    by_source: Mapping[str, int]
    by_scorer: list[Mapping[str, Any]]
    files: int
    unfinished_files: int
    lines: int
    outcomes: Mapping[str, int]
    quarantine: list[Mapping[str, Any]]


def list_runs(*, wanted: RunFilter, after: str | None, limit: int) -> RunPage:
    """Return a page of runs.

    Raises
    ------
    InvalidInput
        `after` is not from the page before.
    """
    found = matching_runs(wanted)
    if after is not None:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise InvalidInput.at("?cursor", "invalid", "Expected the value of next from the page before.")
        found = found.filter(pk__gt=int(after))
    rows = list(found.select_related("file").defer("content").order_by("pk")[: limit + 1])
    return RunPage(rows[:limit], str(rows[limit - 1].pk) if len(rows) > limit else None)


def matching_runs(wanted: RunFilter) -> QuerySet[ScoredRun]:
    """Return the runs that are wanted."""
    fields = {
        "category": wanted.category,
        "source": wanted.source,
        "task_id": wanted.task_id,
        "scorer_name": wanted.scorer,
        "scorer_version": wanted.scorer_version,
        "scored_at__gte": wanted.scored_from,
        "scored_at__lt": wanted.scored_before,
        "is_disputed": wanted.is_disputed,
    }
    return ScoredRun.objects.filter(**{name: value for name, value in fields.items() if value is not None})


def get_run(*, run_id: str) -> ScoredRun:
    """Return a run with its file.

    Raises
    ------
    RunNotFound
        There is none with this id.
    """
    run = ScoredRun.objects.select_related("file").filter(run_id=run_id).first() if "\0" not in run_id else None
    if run is None:
        raise RunNotFound(run_id)
    return run


def decisions_of(run: ScoredRun) -> QuerySet[StageDecision]:
    """Return what became of a run in each export, the newest export first."""
    return StageDecision.objects.filter(run=run).select_related("export").order_by("-export__started_at", "-export_id")


def conflicts_of(run: ScoredRun) -> QuerySet[QuarantinedLine]:
    """Return the lines that contradict a run, decided or not."""
    return QuarantinedLine.objects.filter(run_id=run.run_id).select_related("file").defer("raw").order_by("pk")


def stats() -> Stats:
    """Return counts of everything that came in."""
    files = ScoredRunFile.objects.all()
    sums = files.aggregate(**{name: Sum(name, default=0) for name in ("lines", *_OUTCOMES)})
    scorers = ScoredRun.objects.values("scorer_name", "scorer_version").annotate(runs=Count("pk"))
    faults = QuarantinedLine.objects.values("code", "status").annotate(lines=Count("pk"))
    return Stats(
        runs=ScoredRun.objects.count(),
        disputed=ScoredRun.objects.filter(is_disputed=True).count(),
        by_category=_counted("category"),
        by_source=_counted("source"),
        by_scorer=list(scorers.order_by("scorer_name", "scorer_version")),
        files=files.count(),
        unfinished_files=files.filter(finished_at=None).count(),
        lines=sums.pop("lines"),
        outcomes=sums,
        quarantine=list(faults.order_by("code", "status")),
    )


_OUTCOMES = [ingest.value for ingest in Ingest if ingest is not Ingest.UNREADABLE]


def _counted(field: str) -> dict[str, int]:
    rows = ScoredRun.objects.values_list(field).annotate(number=Count("pk")).order_by(field)
    return dict(rows.values_list(field, "number"))
