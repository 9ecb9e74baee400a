"""Scored runs as tables that other engines read.

A run is a fact and is written once, in the order of ingestion. Only a run under whose id another content has come can
change: it is disputed, and then settled, perhaps with the other content. Such runs are few, and a second table has them
all as they are now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Max, QuerySet

from catalog.own_table_types import UPTO, Held, Rows, Written
from distillation.lake_columns import CONTESTED, RUNS
from distillation.models import QuarantinedLine, ScoredRun
from distillation.validation import Code

PAGE_RUNS = 200
_COLUMNS = (
    "id", "run_id", "task_id", "attempt", "category", "source", "scored_at", "score", "scorer_name", "scorer_version",
    "model", "content", "content_sha256", "prompt_characters", "response_characters", "file__path", "line",
    "ingested_at", "is_disputed",
)  # fmt: skip


def write_runs(*, is_dry_run: bool = False) -> list[Written]:
    """Write the runs that `lakehouse.scored_runs` does not have, and `lakehouse.contested_runs` if it has changed.

    Raises
    ------
    CommitFailed, CommitStateUnknown, BadCatalogRequest, AlreadyExists
        As of `catalog.own_tables.append_rows`.
    """
    # pyiceberg takes a second to import, and most processes never need it.
    from catalog.own_tables import append_rows, replace_rows, whole_state

    runs = append_rows(table=RUNS, source=_new_runs, is_dry_run=is_dry_run)
    contested = replace_rows(table=CONTESTED, source=whole_state(CONTESTED, _contested), is_dry_run=is_dry_run)
    return [runs, contested]


def _new_runs(held: Held) -> Rows | None:
    from catalog.own_tables import batches_of

    # Who adds runs holds the ingest lock, so none with a lower number can become visible later.
    since, upto = int(held.marks.get(UPTO, 0)), ScoredRun.objects.aggregate(last=Max("pk"))["last"] or 0
    if upto <= since:
        return None
    return Rows(batches_of(RUNS, _rows(ScoredRun.objects.filter(pk__gt=since, pk__lte=upto))), {UPTO: str(upto)})


def _contested() -> Iterator[tuple[Any, ...]]:
    conflicts = QuarantinedLine.objects.filter(code=Code.DUPLICATE_RUN_ID_CONFLICT)
    return _rows(ScoredRun.objects.filter(run_id__in=conflicts.values("run_id")))


def _rows(runs: QuerySet[ScoredRun]) -> Iterator[tuple[Any, ...]]:
    return runs.order_by("pk").values_list(*_COLUMNS).iterator(PAGE_RUNS)
