"""What is measured of scored runs and exports over time: numbers, categories, verdicts, key figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import orjson
import xxhash
from django.db.models import Count, Max, Min, QuerySet
from numpy.typing import NDArray

from distillation.models import Export, ScoredRun

Number = Literal["score", "prompt_characters", "response_characters"]
_PAGE = 5_000
_ANSWER_FIELDS = ("system", "context", "prompt", "response", "messages", "model")


@dataclass(frozen=True, slots=True)
class RunSelection:
    """Which runs are looked at: scored in ``[start, end)``, undisputed, and of these names where one is given."""

    start: datetime
    end: datetime
    source: str = ""
    scorer_name: str = ""
    scorer_version: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scorer version said of an answer. `answer` is the same for the same texts of the same attempt."""

    answer: str
    run_id: str
    scorer_name: str
    scorer_version: str
    category: str


@dataclass(frozen=True, slots=True)
class ExportFigures:
    """The key figures of a complete export."""

    export_id: str
    finished_at: datetime | None
    figures: dict[str, float]


def _runs(selection: RunSelection) -> QuerySet[ScoredRun]:
    names = {"source", "scorer_name", "scorer_version", "model"}
    wanted = {name: getattr(selection, name) for name in names if getattr(selection, name)}
    return ScoredRun.objects.filter(
        scored_at__gte=selection.start, scored_at__lt=selection.end, is_disputed=False, **wanted
    ).order_by()


def run_numbers(*, field: Number, selection: RunSelection) -> NDArray[np.float64]:
    """Return a number of each run, shape ``(runs,)``; NaN for a run without a score. Eight bytes a run."""
    found = _runs(selection).values_list(field, flat=True).iterator(chunk_size=_PAGE)
    return np.fromiter((np.nan if value is None else value for value in found), dtype=np.float64)


def category_counts(*, selection: RunSelection) -> dict[str, int]:
    """Return category → number of runs."""
    return dict(_runs(selection).values_list("category").annotate(Count("pk")))


def categories_by_run(*, selection: RunSelection) -> dict[str, str]:
    """Return run id → category."""
    return dict(_runs(selection).values_list("run_id", "category").iterator(chunk_size=_PAGE))


def verdicts(*, selection: RunSelection) -> Iterator[Verdict]:
    """Yield what scorers said of answers, in the order in which they said it.

    Two runs are verdicts on the same answer when their task, attempt and texts (system, context, prompt, response,
    messages) and the model agree; a run id says nothing here, since each verdict has its own.
    """
    fields = ("task_id", "attempt", "content", "run_id", "scorer_name", "scorer_version", "category")
    found = _runs(selection).order_by("scored_at", "run_id").values_list(*fields)
    for task_id, attempt, content, *verdict in found.iterator(chunk_size=500):
        yield Verdict(_answer(task_id, attempt, orjson.loads(content)), *verdict)


def _answer(task_id: str, attempt: int, content: Mapping[str, Any]) -> str:
    texts = [task_id, attempt, *(content.get(name) for name in _ANSWER_FIELDS)]
    return xxhash.xxh3_128_hexdigest(orjson.dumps(texts, option=orjson.OPT_SORT_KEYS))


def run_times() -> tuple[datetime, datetime] | None:
    """Return when the first and the last run was scored; None without runs."""
    found = ScoredRun.objects.aggregate(first=Min("scored_at"), last=Max("scored_at"))
    return None if found["first"] is None else (found["first"], found["last"])


def export_figures(*, kind: str, export_id: str = "", before: datetime | None = None) -> list[ExportFigures]:
    """Return the last two complete exports of a kind that were finished before a moment, the later first."""
    found = Export.objects.filter(status=Export.Status.COMPLETE, kind=kind)
    if export_id:
        found = found.filter(export_id=export_id)
    if before is not None:
        found = found.filter(finished_at__lt=before)
    return [
        ExportFigures(export.export_id, export.finished_at, dict(export.key_figures))
        for export in found.order_by("-finished_at", "-pk").only("export_id", "finished_at", "key_figures")[:2]
    ]
