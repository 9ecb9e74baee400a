"""A report of an ingestion: what has become of every line, from the files and the database, at any time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import orjson

from distillation.ingestion import CHUNK_LINES, FileResult
from distillation.listing import RunFile, Source, list_scored_run_files
from distillation.loading import Ingest, LoadedLine, load_scored_runs_from_file
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from distillation.validation import Code
from lakehouse_site.errors import StorageFailed


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What has become of one line. `code` is that of its fault, if it is quarantined."""

    file: str
    line: int
    ingest: str
    code: str | None
    run_id: str | None


def write_report(*, path: Path, root: str | Path | Source, results: Sequence[FileResult], max_line_bytes: int) -> int:
    """Write a row of JSON for each line that was read of the files, now or before; return their number.

    Parameters
    ----------
    path
        Gets its name when the report is complete; an earlier file of that name is replaced.
    root, results, max_line_bytes
        Those of the ingestion.

    Raises
    ------
    StorageFailed
        A file is gone or cannot be read any more, or the report cannot be written.
    """
    files = {file.path: file for file in list_scored_run_files(root)}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    rows = 0
    try:
        with unfinished.open("wb") as report:
            for result in results:
                for row in report_rows(files.get(result.path), result, max_line_bytes):
                    report.write(orjson.dumps(asdict(row), option=orjson.OPT_APPEND_NEWLINE))
                    rows += 1
            report.flush()
            os.fsync(report.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StorageFailed(f"The report {path} could not be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


def report_rows(file: RunFile | None, result: FileResult, max_line_bytes: int) -> Iterator[ReportRow]:
    """Yield what has become of the lines of a file, as far as they were read."""
    if not result.lines:
        return
    if file is None:
        raise StorageFailed(f"{result.path} is gone, so there is no report of it.")
    row_id = ScoredRunFile.objects.values_list("pk", flat=True).get(path=result.path, sha256=result.sha256)
    lines = load_scored_runs_from_file(file, max_line_bytes=max_line_bytes)
    read = takewhile(lambda line: 0 < line.raw.number <= result.lines, lines)
    for chunk in _batched(read):
        first, last = chunk[0].raw.number, chunk[-1].raw.number
        runs = dict(ScoredRun.objects.filter(file_id=row_id, line__range=(first, last)).values_list("line", "run_id"))
        faults = _faults(row_id, first, last)
        for line in chunk:
            yield _row(result.path, line, runs.get(line.raw.number), faults)


def _batched(lines: Iterator[LoadedLine]) -> Iterator[Sequence[LoadedLine]]:
    chunk: list[LoadedLine] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _faults(file_id: int, first: int, last: int) -> Mapping[int, tuple[str, str]]:
    rows = QuarantinedLine.objects.filter(file_id=file_id, line__range=(first, last))
    rows = rows.exclude(status=QuarantinedLine.Status.RELEASED)
    return {line: (code, run_id) for line, code, run_id in rows.values_list("line", "code", "run_id")}


def _row(path: str, line: LoadedLine, run_id: str | None, faults: Mapping[int, tuple[str, str]]) -> ReportRow:
    number = line.raw.number
    if run_id is not None:
        return ReportRow(path, number, Ingest.INGESTED, None, run_id)
    if number in faults:
        code, named = faults[number]
        # Of a line that is no run only a contradiction speaks of one.
        return ReportRow(
            path, number, Ingest.QUARANTINED, code, named if code == Code.DUPLICATE_RUN_ID_CONFLICT else None
        )
    if line.ingest in (Ingest.BLANK, Ingest.INCOMPLETE_TAIL):
        return ReportRow(path, number, line.ingest, None, None)
    return ReportRow(path, number, Ingest.DUPLICATE_IDENTICAL, None, line.run.run_id if line.run else None)
