"""Runs whose id came with two contents: they leave every export, and exports that hold one are told."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.utils import timezone

from distillation.models import Export, ExportRow, QuarantinedLine, RecallNotice, ScoredRun
from distillation.validation import Code

DISPUTED = "disputed"
_LOCK = 0x6469_7374_696C_6C01  # "distill" and a number: any constant that nothing else uses


def hold_ingest_lock() -> None:
    """Let nobody else add runs, decide on them, or finish an export until this transaction ends.

    It has to be the first statement of each such transaction, so they form a queue and cannot deadlock. On SQLite a
    transaction holds the whole database from its beginning.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def dispute(run_ids: Collection[str]) -> None:
    """Mark runs as disputed and recall finished exports that hold one; in the transaction that found the other content.

    The caller holds the ingest lock.
    """
    runs = list(ScoredRun.objects.filter(run_id__in=run_ids).values_list("pk", flat=True))
    ScoredRun.objects.filter(pk__in=runs, is_disputed=False).update(is_disputed=True)
    held = ExportRow.objects.filter(run__in=runs, export__status=Export.Status.COMPLETE)
    _notify(set(held.values_list("export_id", "run_id")))


def end_dispute_if_settled(run: ScoredRun) -> None:
    """Take back the mark when no conflict of the run waits for a person. The caller holds the ingest lock."""
    waiting = QuarantinedLine.objects.filter(
        run_id=run.run_id, code=Code.DUPLICATE_RUN_ID_CONFLICT, status=QuarantinedLine.Status.OPEN
    )
    ScoredRun.objects.filter(pk=run.pk).update(is_disputed=waiting.exists())


def recall_if_disputed(export: Export) -> int:
    """Recall an export if it holds a run that is disputed by now; return how many runs those are.

    To be called in the transaction that makes the export complete. It takes the ingest lock: a dispute that was
    committed before is seen here, and one that comes later sees the complete export.
    """
    hold_ingest_lock()
    rows = ExportRow.objects.filter(export=export, run__is_disputed=True)
    pairs = set(rows.values_list("export_id", "run_id"))
    _notify(pairs)
    return len(pairs)


def _notify(pairs: Collection[tuple[int, int]]) -> None:
    """Leave a notice for each (export, run), once for ever."""
    now = timezone.now()
    RecallNotice.objects.bulk_create(
        [RecallNotice(export_id=export, run_id=run, reason=DISPUTED, created_at=now) for export, run in sorted(pairs)],
        ignore_conflicts=True,
    )
