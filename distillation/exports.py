"""Training sets: read one moment, run the pipeline, write, read back, and only then publish.

A process that is killed leaves an export that is not complete. Asking again takes it up under the same id: what it left
is removed and written anew. Files are never replaced while an export is complete; one whose files are missing or
damaged is taken up like a broken one.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distillation import export_records, export_storage
from distillation.export_lock import export_lock
from distillation.export_plan import make_plan, read_source, refuse_frozen
from distillation.export_publish import publish
from distillation.export_request import SPLITS, EvalSetContent, ExportRequest
from distillation.lake_exports import write_after_export
from distillation.models import Export, RecallNotice
from distillation.stage_book import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An export, or what it would be (`is_dry_run`); `is_new` is false where the same export was there already."""

    export_id: str
    kind: str
    format: str
    file_type: str
    is_new: bool
    is_dry_run: bool
    rows: int
    splits: dict[str, int]
    stages: list[dict[str, Any]]
    outcomes: dict[str, int]
    redactions: dict[str, int]
    audit: dict[str, Any] | None
    recall_notices: int


def _nothing(step: str, runs: int) -> None:
    """Tell nobody."""


def create_export(
    *,
    request: ExportRequest,
    eval_sets: Sequence[EvalSetContent] = (),
    out: Path | None = None,
    wait_seconds: float = 0,
    progress: Progress = _nothing,
) -> ExportResult:
    """Write a training set, or return the one that is there: the same input and configuration have the same id.

    Parameters
    ----------
    request
        From `make_request`.
    eval_sets
        Evaluation sets to keep it clean of, beside the stored ones.
    out
        A folder that gets a copy of the files: new, empty, or holding an earlier export.
    wait_seconds
        How long to wait for another process that is writing an export.
    progress
        Called with the name of each step that begins.

    Raises
    ------
    ExportBusy
        Another process is writing an export.
    ScorerFrozen
        A run of a frozen scorer would be exported, or stands in the export that is there.
    ExportRefused
        The export did not pass its checks; nothing was published.
    InvalidInput
        `out` holds something else, or cannot be written.
    StorageFailed
        The object storage did not take a file.
    """
    if out is not None:
        export_storage.check_folder(out)
    with export_lock(wait_seconds=wait_seconds):
        progress("read", 0)
        source = read_source(request, eval_sets)
        known = _intact(source.export_id)
        if known is not None:
            refuse_frozen(export_records.scorers_in(known))
        export = known or publish(make_plan(source, progress), progress)
        if out is not None:
            progress("copy", export.rows)
            export_storage.deliver(export.export_id, _files_of(export), out)
    if known is None:
        write_after_export()
    return _result(export, is_new=known is None)


def plan_export(
    *, request: ExportRequest, eval_sets: Sequence[EvalSetContent] = (), progress: Progress = _nothing
) -> ExportResult:
    """Return what `create_export` would write now, and write nothing."""
    progress("read", 0)
    source = read_source(request, eval_sets)
    plan = make_plan(source, progress)
    entries = [*plan.result.rows, *(pair.chosen for pair in plan.result.pairs)]
    splits = Counter(row.split for row in entries)
    outcomes = Counter(decision.outcome.value for decision in plan.result.decisions)
    return ExportResult(
        export_id=source.export_id,
        kind=request.pipeline.kind,
        format=request.format,
        file_type=request.file_type,
        is_new=_intact(source.export_id) is None,
        is_dry_run=True,
        rows=len(entries),
        splits={split: splits[split] for split in SPLITS},
        stages=[asdict(stage) for stage in plan.stages],
        outcomes=dict(sorted(outcomes.items())),
        redactions=dict(sorted(plan.result.redactions.items())),
        audit=None,
        recall_notices=0,
    )


def _intact(identity: str) -> Export | None:
    """Return the complete export with this id; None when there is none, or its files are not all there."""
    export = export_records.find_export(identity)
    if export is None or export.status != Export.Status.COMPLETE:
        return None
    damaged = export_storage.damaged_files(identity, export_storage.listed_files(export.manifest or {}))
    if not damaged and export_storage.has_manifest(identity, export.manifest or {}):
        return export
    logger.warning("files of an export are gone, it is written anew", extra={"export": identity, "files": damaged})
    return None


def _files_of(export: Export) -> list[export_storage.FileInfo]:
    listed = export_storage.listed_files(export.manifest or {})
    return [*listed, export_storage.manifest_file(export.export_id)]


def _result(export: Export, *, is_new: bool) -> ExportResult:
    hashed = (export.manifest or {})["hashed"]
    return ExportResult(
        export_id=export.export_id,
        kind=export.kind,
        format=export.config["format"],
        file_type=export.config["file_type"],
        is_new=is_new,
        is_dry_run=False,
        rows=export.rows,
        splits=hashed["splits"],
        stages=hashed["stages"],
        outcomes=hashed["outcomes"],
        redactions=hashed["redactions"],
        audit=export.audit,
        recall_notices=RecallNotice.objects.filter(export=export, acknowledged_at__isnull=True).count(),
    )
