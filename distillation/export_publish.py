"""From a plan to a complete export: written, recorded, read back, and published by one last transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from distillation import export_records, export_storage
from distillation.errors import ExportBusy
from distillation.export_figures import DIRECTIONS, key_figures
from distillation.export_manifest import hashed_half, manifest_bytes, manifest_of
from distillation.export_plan import Plan
from distillation.export_records import Attempt
from distillation.export_request import configuration
from distillation.export_storage import FileInfo
from distillation.export_verify import Verified, verify
from distillation.export_writer import MANIFEST, Written, texts_of, write_files
from distillation.models import Export
from distillation.stage_book import Progress
from drift.audit import build_audit_drift_table
from lakehouse_site.errors import LakehouseError

logger = logging.getLogger(__name__)


def publish(plan: Plan, progress: Progress) -> Export:
    """Write an export, from the row that announces it to the transaction that makes it complete.

    Raises
    ------
    ExportRefused
        A check failed: its files are removed and the row says why.
    """
    identity, request = plan.source.export_id, plan.source.request
    attempt = export_records.begin(export_id=identity, kind=request.pipeline.kind, config=configuration(request))
    try:
        export_storage.clear(identity)
        with export_storage.scratch_folder() as folder:
            return _publish(attempt, plan, folder, progress)
    except ExportBusy:
        raise  # another process goes on with it
    except LakehouseError as error:
        export_storage.clear(identity)
        export_records.fail(attempt, error=error.detail)
        logger.error("export failed", extra={"export": identity, "code": error.code, "reason": error.detail})
        raise


def _publish(attempt: Attempt, plan: Plan, folder: Path, progress: Progress) -> Export:
    request, origins = plan.source.request, plan.source.input.origins
    progress("write", len(plan.result.decisions))
    written = write_files(folder, export_id=attempt.export_id, request=request, result=plan.result, origins=origins)
    partial = request.pipeline.include_partial
    export_records.record_rows(attempt, written.places, origins, include_partial=partial)
    export_records.record_decisions(attempt, plan.result.decisions, origins)
    files = [export_storage.save(attempt.export_id, path) for path in sorted(folder.iterdir())]
    progress("verify", len(written.places))
    verified = verify(attempt, request, written, files)
    progress("publish", len(written.places))
    manifest = _manifest(attempt, plan, written, verified, files)
    (folder / MANIFEST).write_bytes(manifest_bytes(manifest))
    export_storage.save(attempt.export_id, folder / MANIFEST)
    facts = {"manifest": manifest, **_figures(attempt, plan)}
    export = export_records.complete(attempt, rows=sum(written.rows.values()), facts=facts)
    logger.info("export complete", extra={"export": export.export_id, "kind": export.kind, "rows": export.rows})
    return export


def _manifest(
    attempt: Attempt, plan: Plan, written: Written, verified: Verified, files: Sequence[FileInfo]
) -> dict[str, Any]:
    hashed = hashed_half(plan, written=written, verified=verified, files=files)
    return manifest_of(
        attempt.export_id,
        hashed,
        started_at=attempt.started_at,
        finished_at=timezone.now(),
        seconds=plan.result.seconds,
    )


def _figures(attempt: Attempt, plan: Plan) -> dict[str, Any]:
    """Return the key figures of an export, and their table beside those of the export before it."""
    categories = {run_id: origin.category for run_id, origin in plan.source.input.origins.items()}
    figures = key_figures(plan.result.decisions, texts_of(plan.result), categories, plan.result.redactions)
    baseline = export_records.baseline_of(plan.source.request.pipeline.kind, before=attempt)
    if baseline is None:
        return {"key_figures": figures, "baseline": None, "audit": None}
    table = build_audit_drift_table(baseline.key_figures, figures, directions=DIRECTIONS)
    audit = {"baseline": baseline.export_id, **table.to_dict()}
    return {"key_figures": figures, "baseline": baseline, "audit": audit}
