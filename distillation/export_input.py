"""All runs as of one moment, with where they came from, while others go on writing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, cast

import orjson
from django.db import connection, transaction

from distillation.eval_sets import active_eval_sets
from distillation.export_request import EvalSetContent, InputFile, Origin
from distillation.firewall import Category
from distillation.models import ScoredRun, ScoredRunFile
from distillation.pipeline_types import Json, Run

CHUNK_RUNS = 1_000
_RUN_COLUMNS = (
    "id",
    "run_id",
    "task_id",
    "category",
    "source",
    "attempt",
    "score",
    "scored_at",
    "is_disputed",
    "content",
    "content_sha256",
    "file_id",
    "line",
    "scorer_name",
    "scorer_version",
    "model",
)


@dataclass(frozen=True, slots=True)
class ExportInput:
    """What one export reads: every run of one moment, by run id, and the evaluation sets in use then."""

    runs: tuple[Run, ...]
    origins: Mapping[str, Origin]
    files: tuple[InputFile, ...]
    eval_sets: tuple[EvalSetContent, ...]


def read_input() -> ExportInput:
    """Read all runs of the known categories, as of one moment.

    Notes
    -----
    It takes no lock. The query names the categories: a run of a category that this code does not know is not read.
    Memory: all runs with their texts.
    """
    with _one_moment():
        keys: dict[int, dict[str, Any]] = {row["id"]: {**row} for row in ScoredRunFile.objects.values()}
        found = ScoredRun.objects.filter(category__in=[category.value for category in Category])
        runs: list[Run] = []
        origins: dict[str, Origin] = {}
        used: set[int] = set()
        for row in found.order_by("run_id").values(*_RUN_COLUMNS).iterator(CHUNK_RUNS):
            file = keys[row["file_id"]]
            used.add(row["file_id"])
            runs.append(_run(row))
            origins[row["run_id"]] = _origin(row, file)
        eval_sets = active_eval_sets()
    # Databases sort text by their own rules; the order of an export is that of the code points everywhere.
    runs.sort(key=lambda run: run.run_id)
    names = [field.name for field in fields(InputFile)]
    files = [InputFile(**{name: keys[key][name] for name in names}) for key in used]
    files.sort(key=lambda file: (file.path, file.sha256))
    return ExportInput(tuple(runs), {run.run_id: origins[run.run_id] for run in runs}, tuple(files), tuple(eval_sets))


def _run(row: Mapping[str, object]) -> Run:
    content: Mapping[str, Json] = orjson.loads(cast(str, row["content"]))
    return Run(**{name: row[name] for name in Run.__slots__ if name != "content"}, content=content)  # type: ignore[arg-type]


def _origin(row: Mapping[str, object], file: Mapping[str, object]) -> Origin:
    names = ("run_id", "category", "is_disputed", "content_sha256", "line", "scorer_name", "scorer_version", "model")
    known = {name: row[name] for name in names}
    return Origin(run_key=row["id"], file=file["path"], file_sha256=file["sha256"], **known)  # type: ignore[arg-type]


@contextmanager
def _one_moment() -> Iterator[None]:
    """Let all reads inside see the database as it is now."""
    if connection.in_atomic_block:
        raise RuntimeError("A transaction is open already: it may hold writes that will never be.")
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")  # `atomic` would take the lock of writers
        try:
            yield
        finally:
            if connection.connection.in_transaction:  # SQLite ends one itself after some errors
                cursor.execute("ROLLBACK")
