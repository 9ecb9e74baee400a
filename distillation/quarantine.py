"""Lines that were not taken: what a person decides about them.

Counts follow the decisions, so that of each file ``ingested`` stays the number of its stored runs and ``quarantined``
that of its lines here which are not released:

* Discarding changes no count: the line stays out.
* A released line moves from ``quarantined`` to ``ingested``, or to ``duplicate_identical`` if its run has been stored
  with the same content since.
* A released contradiction swaps places with the line whose content the run had: that one moves from ``ingested`` to
  ``quarantined``, as a discarded contradiction that can be released again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

from django.db import models
from django.db.models import F, QuerySet
from django.utils import timezone

from distillation.chunks import conflict_of
from distillation.compressed import DamagedStream, HashedStream, plain_pieces
from distillation.disputes import dispute, end_dispute_if_settled, hold_ingest_lock
from distillation.errors import NotReleasable
from distillation.lines import RAW_BYTES_KEPT, RawLine, read_lines
from distillation.listing import open_location
from distillation.loading import Ingest
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from distillation.quarantine_reads import get_quarantined
from distillation.validation import (
    DEFAULT_MAX_LINE_BYTES,
    Code,
    LineFault,
    ScoredRunLine,
    judge,
    validate,
)
from lakehouse_site.errors import InvalidInput
from vectors.transactions import run_write

MAX_NOTE_CHARACTERS = 4_000
MAX_NAME_CHARACTERS = 256
_Status = QuarantinedLine.Status


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision did: `outcome` is ``discarded``, ``ingested``, ``duplicate_identical`` or ``replaced``."""

    id: int
    outcome: str
    run_id: str
    is_disputed: bool


def discard_line(*, line_id: int, decided_by: str, note: str = "") -> Decided:
    """Leave a line out for good. Of a contradiction, the stored run stands and may be exported again.

    Raises
    ------
    QuarantinedLineNotFound
        There is no such line.
    NotReleasable
        It has been decided before.
    """
    _check(decided_by, note)
    return run_write(partial(_discard, line_id, decided_by, note))


def release_line(
    *, line_id: int, decided_by: str, note: str = "", max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
) -> Decided:
    """Take a line after all: a contradiction as it is, any other line if it passes the rules as they are now.

    Parameters
    ----------
    line_id
        Open or discarded.
    decided_by, note
        Are recorded.
    max_line_bytes
        The limit for a line that was too long.

    Raises
    ------
    QuarantinedLineNotFound
        There is no such line.
    NotReleasable
        It has been released before, it is still no valid run, it contradicts a stored run, or its file has changed.
    StorageFailed
        Its file cannot be read.
    """
    _check(decided_by, note)
    row = get_quarantined(line_id=line_id)
    if row.code == Code.DUPLICATE_RUN_ID_CONFLICT:
        return run_write(partial(_release_conflict, line_id, decided_by, note))
    run = _read_again(row, max_line_bytes)
    return run_write(partial(_release, line_id, run, decided_by, note))


def _check(decided_by: str, note: str) -> None:
    if not decided_by or len(decided_by) > MAX_NAME_CHARACTERS:
        raise InvalidInput.at("/by", "length", f"Say who decides, in 1 to {MAX_NAME_CHARACTERS} characters.")
    if len(note) > MAX_NOTE_CHARACTERS or "\0" in note:
        raise InvalidInput.at("/note", "length", f"A note has at most {MAX_NOTE_CHARACTERS} characters, none U+0000.")


def _locked(line_id: int, allowed: tuple[str, ...]) -> QuarantinedLine:
    """Return a row that may be decided; nobody else decides until this transaction ends."""
    hold_ingest_lock()
    row = get_quarantined(line_id=line_id)
    if row.status not in allowed:
        what = QuarantinedLine.Status(row.status).label
        raise NotReleasable(f"The line {line_id} was decided before: {what}. {row.note}".strip())
    return row


def _decide(rows: QuerySet[QuarantinedLine], status: str, decided_by: str, note: str) -> None:
    rows.update(status=status, note=note, decided_by=decided_by, decided_at=timezone.now())


def _discard(line_id: int, decided_by: str, note: str) -> Decided:
    row = _locked(line_id, (_Status.OPEN,))
    _decide(_alike(row), _Status.DISCARDED, decided_by, note)
    run = ScoredRun.objects.filter(run_id=row.run_id).first() if _is_conflict(row) else None
    if run is not None:
        end_dispute_if_settled(run)
        run.refresh_from_db(fields=["is_disputed"])
    return Decided(row.pk, "discarded", row.run_id, run is not None and run.is_disputed)


def _is_conflict(row: QuarantinedLine) -> bool:
    return row.code == Code.DUPLICATE_RUN_ID_CONFLICT


def _alike(row: QuarantinedLine) -> QuerySet[QuarantinedLine]:
    """Return a row and, of a contradiction, every other open one with the same content: it is the same question."""
    same = models.Q(pk=row.pk)
    if _is_conflict(row):
        same |= models.Q(run_id=row.run_id, content_sha256=row.content_sha256, code=row.code, status=_Status.OPEN.value)
    return QuarantinedLine.objects.filter(same)


def _release_conflict(line_id: int, decided_by: str, note: str) -> Decided:
    row = _locked(line_id, (_Status.OPEN, _Status.DISCARDED))
    run = ScoredRun.objects.get(run_id=row.run_id)
    dispute([run.run_id])  # exports that hold the old content are told, also when nobody disputed it any more
    others = _alike(row).exclude(pk=row.pk)
    _decide(others, _Status.DISCARDED, decided_by, f"Line {row.line} of {row.file.path} has the same content. {note}")
    if run.content_sha256 != row.content_sha256:
        _swap(row, run, decided_by)
        outcome, gains = "replaced", Ingest.INGESTED
    else:
        outcome, gains = "duplicate_identical", Ingest.DUPLICATE_IDENTICAL
    _count(row.file_id, quarantined=-1, **{gains.value: 1})
    _decide(QuarantinedLine.objects.filter(pk=row.pk), _Status.RELEASED, decided_by, note)
    end_dispute_if_settled(run)
    run.refresh_from_db(fields=["is_disputed"])
    return Decided(row.pk, outcome, run.run_id, run.is_disputed)


def _swap(row: QuarantinedLine, run: ScoredRun, decided_by: str) -> None:
    """Give a run the content of a line; the content it had stands in quarantine, discarded, in its own place."""
    new = validate(row.content.encode())
    if not isinstance(new, ScoredRunLine):
        raise NotReleasable(f"The line is not valid any more: {new.code}: {new.message}")
    now, old = timezone.now(), run.content.encode()
    message = f"Line {row.line} of {row.file.path} was released with another content of the run."
    QuarantinedLine.objects.update_or_create(
        file_id=run.file_id,
        line=run.line,
        defaults={
            "code": Code.DUPLICATE_RUN_ID_CONFLICT.value, "message": message, "run_id": run.run_id,
            "raw": old[:RAW_BYTES_KEPT],
            "size_bytes": len(old), "sha256": hashlib.sha256(old).hexdigest(), "content": run.content,
            "content_sha256": run.content_sha256, "status": _Status.DISCARDED.value, "note": message,
            "quarantined_at": now, "decided_at": now, "decided_by": decided_by,
        },
    )  # fmt: skip
    _count(run.file_id, ingested=-1, quarantined=1)
    ScoredRun.objects.filter(pk=run.pk).update(file_id=row.file_id, line=row.line, **_columns(new))


def _release(line_id: int, new: ScoredRunLine, decided_by: str, note: str) -> Decided:
    row = _locked(line_id, (_Status.OPEN, _Status.DISCARDED))
    known = ScoredRun.objects.filter(run_id=new.run_id).first()
    if known is not None and known.content_sha256 != new.content_sha256:
        raise NotReleasable(f"{conflict_of(new).message} Nothing was changed: discard this line, or correct its file.")
    outcome = Ingest.DUPLICATE_IDENTICAL
    if known is None:
        outcome = Ingest.INGESTED
        now = timezone.now()
        ScoredRun.objects.create(
            run_id=new.run_id, file_id=row.file_id, line=row.line, ingested_at=now, **_columns(new)
        )
    _count(row.file_id, quarantined=-1, **{outcome.value: 1})
    _decide(QuarantinedLine.objects.filter(pk=row.pk), _Status.RELEASED, decided_by, note)
    return Decided(row.pk, outcome.value, new.run_id, known is not None and known.is_disputed)


def _columns(run: ScoredRunLine) -> dict[str, object]:
    names = [field.name for field in ScoredRun._meta.fields]
    return {name: value for name, value in run._asdict().items() if name in names and name != "run_id"}


def _count(file_id: int, **changes: int) -> None:
    ScoredRunFile.objects.filter(pk=file_id).update(**{name: F(name) + change for name, change in changes.items()})


def _read_again(row: QuarantinedLine, max_line_bytes: int) -> ScoredRunLine:
    """Return the run a line holds by the rules as they are now."""
    raw = _raw_line(row, max_line_bytes)
    judged = judge(raw._replace(has_end=True), max_line_bytes)
    if isinstance(judged, LineFault):
        raise NotReleasable(f"It is still no valid run: {judged.code}: {judged.message}")
    if judged is None:
        raise NotReleasable("The line is blank or not finished.")
    return judged


def _raw_line(row: QuarantinedLine, max_line_bytes: int) -> RawLine:
    kept = bytes(row.raw)
    if len(kept) == row.size_bytes:
        return RawLine(row.line, kept, len(kept), 0, True, len(kept) > max_line_bytes)
    if not row.file.location:
        raise NotReleasable("Only the beginning of the line was kept: it came over HTTP. Send the run again.")
    return _line_of_file(row, max_line_bytes)


def _line_of_file(row: QuarantinedLine, max_line_bytes: int) -> RawLine:
    changed = NotReleasable(f"{row.file.location} is not the file it was. Ingest it again, and release the line then.")
    found: RawLine | None = None
    with open_location(row.file.location) as stream:
        hashed = HashedStream(stream)
        try:
            lines = read_lines(plain_pieces(row.file.path, hashed), max_line_bytes)
            found = next((line for line in lines if line.number == row.line), None)
        except DamagedStream as error:
            raise changed from error
        checksum = hashed.checksum()
    if found is None or checksum != row.file.sha256 or found.checksum != row.sha256:
        raise changed
    return found
