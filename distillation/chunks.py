"""A chunk of lines into the database, in one transaction: runs, faults, disputes, and how far the file was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, models
from django.db.models import F
from django.utils import timezone

from distillation.disputes import dispute, hold_ingest_lock
from distillation.loading import Ingest, LoadedLine
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from distillation.validation import Code, LineFault, ScoredRunLine

COUNTED = (Ingest.BLANK, Ingest.INCOMPLETE_TAIL, Ingest.DUPLICATE_IDENTICAL, Ingest.QUARANTINED, Ingest.INGESTED)
_RUN_COLUMNS = (
    "run_id", "task_id", "attempt", "category", "source", "scored_at", "score", "scorer_name", "scorer_version",
    "model", "prompt_characters", "response_characters", "content", "content_sha256", "is_disputed", "file_id", "line",
    "ingested_at",
)  # fmt: skip
_FAULT_COLUMNS = (
    "file_id", "line", "code", "message", "run_id", "raw", "size_bytes", "sha256", "content", "content_sha256",
    "status", "note", "quarantined_at", "decided_at", "decided_by",
)  # fmt: skip
_Status = QuarantinedLine.Status


@dataclass(slots=True)
class Sorted:
    """The lines of a chunk by what becomes of them."""

    runs: list[LoadedLine] = field(default_factory=list)
    faults: list[tuple[LoadedLine, LineFault]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a chunk has added. `faults` are those of its lines, in order."""

    counts: Mapping[str, int]
    faults: Sequence[tuple[LoadedLine, LineFault]]


def sort_lines(lines: Iterable[LoadedLine], known: dict[str, str]) -> Sorted:
    """Sort lines, in their order.

    Parameters
    ----------
    known
        SHA-256 of the content of each stored run that the lines name, by run id; new runs are added.
    """
    result = Sorted()
    for line in lines:
        ingest, run = line.ingest, line.run
        if line.fault is not None:
            result.faults.append((line, line.fault))
        elif run is not None:
            earlier = known.get(run.run_id)
            if earlier is None:
                known[run.run_id] = run.content_sha256
                result.runs.append(line)
            elif earlier == run.content_sha256:
                ingest = Ingest.DUPLICATE_IDENTICAL
            else:
                ingest = Ingest.QUARANTINED
                result.faults.append((line, conflict_of(run)))
        result.counts[ingest] += 1
    return result


def conflict_of(run: ScoredRunLine) -> LineFault:
    """Return the fault of a line that contradicts a stored run."""
    message = (
        f"The run {run.run_id} is known with another content. It is left out of exports until a person releases this "
        "line, whose content then becomes the run's, or discards it."
    )
    return LineFault(Code.DUPLICATE_RUN_ID_CONFLICT, message, run.run_id)


def known_contents(lines: Iterable[LoadedLine]) -> dict[str, str]:
    """Return the SHA-256 of the content of each stored run that lines name."""
    ids = [line.run.run_id for line in lines if line.run is not None]
    return dict(ScoredRun.objects.filter(run_id__in=ids).values_list("run_id", "content_sha256"))


def store_chunk(file_id: int, lines: Sequence[LoadedLine]) -> Stored:
    """Store the lines of a file that nobody has stored yet; inside a transaction that does nothing else.

    Parameters
    ----------
    lines
        In order, without a gap after the last line that was stored when they were read. Another process may have
        stored some of them since.
    """
    hold_ingest_lock()
    file = ScoredRunFile.objects.get(pk=file_id)
    lines = [line for line in lines if line.raw.number > file.lines]
    if not lines or file.finished_at is not None:
        return Stored({}, ())
    now = timezone.now()
    found = sort_lines(lines, known_contents(lines))
    _insert(ScoredRun, _RUN_COLUMNS, [_run_row(file_id, line, now) for line in found.runs])
    if found.faults:
        _store_faults(file, found.faults, now)
    last = lines[-1].raw
    counts = {ingest.value: found.counts[ingest] for ingest in COUNTED}
    grown = {name: F(name) + number for name, number in counts.items() if number}
    ScoredRunFile.objects.filter(pk=file_id).update(lines=last.number, bytes_read=last.end_offset, **grown)
    return Stored(counts, found.faults)


def _store_faults(file: ScoredRunFile, faults: Sequence[tuple[LoadedLine, LineFault]], now: datetime) -> None:
    decided = _decided_contents(faults)
    earlier = _earlier_rows(file, faults)
    rows, disputed, superseded = [], set(), []
    for line, fault in faults:
        run, before = line.run, earlier.get((line.raw.number, line.raw.checksum))
        settled = decided.get((run.run_id, run.content_sha256)) if run is not None else None
        if before is not None and run is None and before.status != _Status.OPEN:
            settled = before
        if before is not None and before.status == _Status.OPEN:
            superseded.append(before.pk)
        if settled is None and run is not None:
            disputed.add(run.run_id)
        rows.append(_fault_row(file.pk, line, fault, settled, now))
    QuarantinedLine.objects.filter(pk__in=superseded).update(status=_Status.SUPERSEDED)
    _insert(QuarantinedLine, _FAULT_COLUMNS, rows)
    if disputed:
        dispute(disputed)


def _decided_contents(faults: Iterable[tuple[LoadedLine, LineFault]]) -> dict[tuple[str, str], QuarantinedLine]:
    """Return the contents a person has discarded before, by run id and SHA-256: they open no dispute again."""
    ids = {line.run.run_id for line, _ in faults if line.run is not None}
    rows = QuarantinedLine.objects.filter(
        run_id__in=ids, code=Code.DUPLICATE_RUN_ID_CONFLICT, status=_Status.DISCARDED
    ).defer("raw", "content")
    return {(row.run_id, row.content_sha256): row for row in rows}


def _earlier_rows(
    file: ScoredRunFile, faults: Iterable[tuple[LoadedLine, LineFault]]
) -> dict[tuple[int, str], QuarantinedLine]:
    """Return the same lines of earlier contents of this file, which has grown since: one fault is one task."""
    older = ScoredRunFile.objects.filter(path=file.path).exclude(pk=file.pk)
    rows = (
        QuarantinedLine.objects.filter(file__in=older, line__in=[line.raw.number for line, _ in faults])
        .exclude(status=_Status.SUPERSEDED)
        .defer("raw", "content")
        .order_by("pk")
    )
    return {(row.line, row.sha256): row for row in rows}


def _run_row(file_id: int, line: LoadedLine, now: datetime) -> tuple[Any, ...]:
    run = line.run
    if run is None:
        raise TypeError("a line without a run")
    return (
        run.run_id, run.task_id, run.attempt, run.category, run.source, run.scored_at, run.score, run.scorer_name,
        run.scorer_version, run.model, run.prompt_characters, run.response_characters, run.content, run.content_sha256,
        False, file_id, line.raw.number, now,
    )  # fmt: skip


def _fault_row(
    file_id: int, line: LoadedLine, fault: LineFault, settled: QuarantinedLine | None, now: datetime
) -> tuple[Any, ...]:
    raw, run = line.raw, line.run
    content = (run.content, run.content_sha256) if run is not None else ("", "")
    decision: tuple[Any, ...] = (_Status.OPEN.value, "", now, None, "")
    if settled is not None:
        note = f"Decided before, for line {settled.line} of file {settled.file_id}: {settled.note}"
        decision = (_Status.DISCARDED.value, note, now, settled.decided_at, settled.decided_by)
    return (
        file_id, raw.number, fault.code.value, fault.message, fault.run_id, raw.head, raw.size_bytes, raw.checksum,
        *content, *decision,
    )  # fmt: skip


def _insert(model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows past the ORM, which would take several times as long."""
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        adapt = connection.ops.adapt_datetimefield_value
        moments = [i for i, column in enumerate(columns) if column.endswith("_at")]
        plain = [list(row) for row in rows]
        for values in plain:
            for i in moments:
                values[i] = adapt(values[i])
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", plain)  # noqa: S608  names of our models
