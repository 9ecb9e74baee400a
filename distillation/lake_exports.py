"""Exports and their decisions as tables that other engines read.

Exports change (they fail, are compared, recalled), and are few: their table has them all as they are now. The decisions
of a complete export are as many as there are runs, and never change: the same id stands for the same input. They are
added once, in files of their own, so the partitions tell which exports are there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.db.models import Count, Q

from catalog.own_table_types import MARK, Held, Rows, Written
from distillation.errors import ExportBusy
from distillation.lake_columns import DECISIONS, EXPORTS
from distillation.models import Export, StageDecision

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

PAGE_ROWS = 2_000
EXPORTS_AFTER_AN_EXPORT = 3
"""So many, the newest, are written when an export ends, if earlier ones could not be: the command writes all."""
NEWEST = MARK + "newest-export"


def write_exports(*, max_exports: int | None = None, is_dry_run: bool = False) -> list[Written]:
    """Write `lakehouse.exports` if it has changed, and the decisions that `lakehouse.export_decisions` does not have.

    Parameters
    ----------
    max_exports
        Of so many exports at the most, the newest ones.

    Raises
    ------
    ExportBusy
        An export is being written anew at this moment.
    CommitFailed, CommitStateUnknown, BadCatalogRequest, AlreadyExists
        As of `catalog.own_tables.append_rows`.
    """
    # pyiceberg takes a second to import, and most processes never need it.
    from catalog.own_tables import append_rows, replace_rows, whole_state

    def missing(held: Held) -> Rows | None:
        known = held.partitions()
        complete = Export.objects.filter(status=Export.Status.COMPLETE).exclude(decisions=None)
        found = complete.order_by("-finished_at", "-pk").only("pk", "export_id", "started_at").distinct()
        wanted = [export for export in found if export.export_id not in known][:max_exports]
        if not wanted:
            return None
        return Rows(chain.from_iterable(map(_decisions, wanted)), {NEWEST: wanted[0].export_id})

    exports = replace_rows(table=EXPORTS, source=whole_state(EXPORTS, _exports), is_dry_run=is_dry_run)
    return [exports, append_rows(table=DECISIONS, source=missing, is_dry_run=is_dry_run)]


def write_after_export() -> None:
    """Write the tables when an export has ended; a failure is logged and is none of the export."""
    if not settings.LAKEHOUSE_LAKE_EXPORTS:
        return
    try:
        write_exports(max_exports=EXPORTS_AFTER_AN_EXPORT)
    except Exception:
        logger.exception("tables of exports not written")


def _exports() -> Iterator[tuple[Any, ...]]:
    is_open = Q(recall_notices__acknowledged_at=None, recall_notices__isnull=False)
    rows = Export.objects.annotate(open_notices=Count("recall_notices", filter=is_open)).select_related("baseline")
    for export in rows.order_by("pk").iterator(100):
        hashed = (export.manifest or {}).get("hashed", {})
        yield (
            export.export_id, export.kind, export.status, export.config.get("format"), export.config.get("file_type"),
            _json(export.config), export.rows, _json(hashed.get("splits")), _json(hashed.get("outcomes")),
            _json(export.key_figures), export.baseline.export_id if export.baseline else None,
            (export.audit or {}).get("verdict"), export.open_notices, export.error, export.started_at,
            export.finished_at,
        )  # fmt: skip


def _json(value: Mapping[str, Any] | Sequence[Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _decisions(export: Export) -> Iterator[pa.RecordBatch]:
    from catalog.own_tables import batches_of

    yield from batches_of(DECISIONS, _decision_rows(export))
    # One whose files are gone is taken up under its id, and its decisions are made anew. Its row says so first.
    same = Export.objects.filter(pk=export.pk, status=Export.Status.COMPLETE, started_at=export.started_at)
    if not same.exists():
        raise ExportBusy(f"The export {export.export_id} is being written anew. Run this again when it is complete.")


def _decision_rows(export: Export) -> Iterator[tuple[Any, ...]]:
    names = ("run__run_id", "run__category", "outcome", "split", "group", "evidence", "run__file__path", "run__line")
    rows = StageDecision.objects.filter(export=export).order_by("pk").values_list(*names)
    for run_id, category, outcome, split, group, evidence, path, line in rows.iterator(PAGE_ROWS):
        yield export.export_id, run_id, category, outcome, split or None, group or None, _json(evidence), path, line
