"""What there is of exports: the list, one, its files and decisions, and its recall notices."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from distillation import export_storage
from distillation.errors import ExportNotFound, RecallNoticeNotFound
from distillation.export_writer import MANIFEST, decision_fields
from distillation.models import Export, RecallNotice, StageDecision
from lakehouse_site.errors import InvalidInput
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
MAX_PAGE = 1_000
CONTENT_TYPES = {
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "md": "text/markdown; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class ExportInfo:
    """An export in a list."""

    export_id: str
    kind: str
    format: str
    file_type: str
    status: str
    rows: int
    splits: dict[str, int]
    files: list[str]
    open_recall_notices: int
    error: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileStream:
    """A file of an export, to be sent piece by piece."""

    name: str
    size_bytes: int
    content_type: str
    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """Decisions of an export by run; `next` is where the page after this begins, None on the last."""

    decisions: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class NoticeInfo:
    """A complete export holds a run that should no longer be in it."""

    id: uuid.UUID
    export_id: str
    run_id: str
    reason: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str


def list_exports() -> QuerySet[Export]:
    """Return all exports, the newest first."""
    return Export.objects.all()


def get_export(*, export_id: str) -> Export:
    """Return an export, complete or not.

    Raises
    ------
    ExportNotFound
        There is none with this id.
    """
    export = Export.objects.select_related("baseline").filter(export_id=export_id).first()
    if export is None:
        raise ExportNotFound(f"There is no export {export_id!r}. GET /v1/distillation/exports lists them.")
    return export


def describe(export: Export) -> ExportInfo:
    """Return an export in short."""
    hashed = (export.manifest or {}).get("hashed", {})
    files = [file["name"] for file in hashed.get("files", [])]
    return ExportInfo(
        export_id=export.export_id,
        kind=export.kind,
        format=export.config["format"],
        file_type=export.config["file_type"],
        status=export.status,
        rows=export.rows,
        splits=hashed.get("splits", {}),
        files=[*files, MANIFEST] if files else [],
        open_recall_notices=export.recall_notices.filter(acknowledged_at__isnull=True).count(),
        error=export.error,
        started_at=export.started_at,
        finished_at=export.finished_at,
    )


def open_export_file(*, export_id: str, name: str) -> FileStream:
    """Open a file of a complete export.

    Raises
    ------
    ExportNotFound
        There is no such export, it is not complete, or has no file of this name.
    DamagedFile, StorageFailed
        The storage does not have it, or does not answer.
    """
    export = get_export(export_id=export_id)
    if export.status != Export.Status.COMPLETE:
        raise ExportNotFound(f"The export {export_id} is not complete; its files can be had when it is.")
    sizes = {info.name: info.bytes for info in export_storage.listed_files(export.manifest or {})}
    if name == MANIFEST:
        sizes[MANIFEST] = export_storage.manifest_file(export_id).bytes
    if name not in sizes:
        raise ExportNotFound(f"The export {export_id} has no file {name!r}; it has {', '.join(sorted(sizes))}.")
    pieces = _pieces(export_id, name)
    first = next(pieces, b"")  # so that an error comes before the answer has begun
    content_type = CONTENT_TYPES[name.rpartition(".")[2]]
    return FileStream(name, sizes[name], content_type, chain([first], pieces))


def _pieces(export_id: str, name: str) -> Iterator[bytes]:
    with export_storage.open_file(export_id, name) as file:
        while data := file.read(READ_BYTES):
            yield data


def list_decisions(*, export_id: str, outcome: str | None, after: str | None, limit: int) -> DecisionPage:
    """Return a page of decisions of an export, in the order they were stored, which is that of the run ids.

    Raises
    ------
    ExportNotFound
        There is no such export.
    InvalidInput
        `after` is not from the page before.
    """
    found = StageDecision.objects.filter(export=get_export(export_id=export_id))
    if outcome:
        found = found.filter(outcome=outcome)
    if after:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise InvalidInput.at("?cursor", "invalid", "Expected the value of next from the page before.")
        found = found.filter(pk__gt=int(after))
    rows = list(found.select_related("run__file").order_by("pk")[: limit + 1])
    decisions = [
        decision_fields(
            row.run.run_id, row.run.file.path, row.run.line, row.outcome, row.split, row.group, row.evidence
        )
        for row in rows[:limit]
    ]
    return DecisionPage(decisions, str(rows[limit - 1].pk) if len(rows) > limit else None)


def list_notices(*, only_open: bool) -> QuerySet[RecallNotice]:
    """Return recall notices, the newest first."""
    found = RecallNotice.objects.select_related("export", "run")
    return found.filter(acknowledged_at__isnull=True) if only_open else found


def notice_info(notice: RecallNotice) -> NoticeInfo:
    """Return a notice for an answer."""
    return NoticeInfo(
        id=notice.id,
        export_id=notice.export.export_id,
        run_id=notice.run.run_id,
        reason=notice.reason,
        created_at=notice.created_at,
        acknowledged_at=notice.acknowledged_at,
        acknowledged_by=notice.acknowledged_by,
    )


def acknowledge_notice(*, notice_id: str, by: str) -> NoticeInfo:
    """Note that somebody has dealt with a recall notice; the first one stays on record.

    Raises
    ------
    RecallNoticeNotFound
        There is no such notice.
    """
    unknown = RecallNoticeNotFound(f"There is no recall notice {notice_id}.")
    try:
        key = uuid.UUID(notice_id)
    except ValueError as error:
        raise unknown from error

    def write() -> RecallNotice | None:
        open_ones = RecallNotice.objects.filter(pk=key, acknowledged_at__isnull=True)
        open_ones.update(acknowledged_at=timezone.now(), acknowledged_by=by[:256])
        return list_notices(only_open=False).filter(pk=key).first()

    notice = run_write(write)
    if notice is None:
        raise unknown
    logger.info("recall notice acknowledged", extra={"notice": notice_id, "by": by})
    return notice_info(notice)
