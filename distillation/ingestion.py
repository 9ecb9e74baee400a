"""Scored runs into the database: files, or bodies of requests. Safe to interrupt anywhere and to run again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.utils import timezone

from distillation.chunks import COUNTED, Stored, known_contents, sort_lines, store_chunk
from distillation.compressed import DamagedStream, HashedStream, Readable, is_compressed, plain_pieces
from distillation.listing import RunFile, Source, list_scored_run_files
from distillation.loading import Ingest, LoadedLine, load_lines
from distillation.models import ScoredRunFile
from distillation.validation import DEFAULT_MAX_LINE_BYTES
from lakehouse_site.errors import InvalidInput, StorageFailed
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

CHUNK_LINES = 1_000
MAX_PATH_CHARACTERS = 1_024
CHUNK_BYTES = 16 * 1024 * 1024

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of the lines of a file.

    Attributes
    ----------
    path, sha256
        Of the content that was read.
    is_skipped
        This content had been read to its end before; the counts are those of then.
    error
        Why the file could not be read to its end, or nothing. What came before is stored, and the next time goes on
        from there.
    """

    path: str
    sha256: str
    lines: int
    blank: int
    incomplete_tail: int
    duplicate_identical: int
    quarantined: int
    ingested: int
    is_skipped: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingestion did: the files in order, and how often it found which fault."""

    files: Sequence[FileResult]
    quarantine_codes: Mapping[str, int]
    is_dry_run: bool = False

    @property
    def totals(self) -> dict[str, int]:
        names = ("lines", *(ingest.value for ingest in COUNTED))
        return {name: sum(getattr(file, name) for file in self.files) for name in names}

    @property
    def errors(self) -> list[FileResult]:
        return [file for file in self.files if file.error]


def ingest_scored_runs(
    *,
    root: str | Path | Source,
    max_line_bytes: int = DEFAULT_MAX_LINE_BYTES,
    is_dry_run: bool = False,
    progress: Progress = lambda count: None,
) -> IngestResult:
    """Read every file of scored runs below a root, in the order of their paths.

    Parameters
    ----------
    root
        As in `list_scored_run_files`.
    max_line_bytes
        A longer line is quarantined.
    is_dry_run
        Say what would happen and change nothing. Remembers the id of every new run, some 200 bytes each.
    progress
        Called with the number of lines of each finished chunk.

    Raises
    ------
    InvalidInput
        There is no such root, or the limit is below 1.
    StorageFailed
        The root cannot be looked through. A file that cannot be read is told in its result.
    """
    if max_line_bytes < 1:
        raise InvalidInput.at("/max_line_bytes", "range", "A line has at least 1 byte.")
    codes: Counter[str] = Counter()
    results = []
    store: dict[str, str] | None = {} if is_dry_run else None
    for file in list_scored_run_files(root):
        results.append(_ingest_file(file, max_line_bytes, store, codes, progress))
    return IngestResult(results, dict(sorted(codes.items())), is_dry_run)


@dataclass(frozen=True, slots=True)
class Content:
    """One content of one file, by its checksum."""

    path: str
    location: str
    sha256: str
    size_bytes: int
    open: Callable[[], AbstractContextManager[Readable]]


def _ingest_file(
    file: RunFile, max_line_bytes: int, seen: dict[str, str] | None, codes: Counter[str], progress: Progress
) -> FileResult:
    shown = file.path.encode("utf-8", "backslashreplace").decode()
    if shown != file.path or len(file.path) > MAX_PATH_CHARACTERS:
        error = f"Its name is not UTF-8, or longer than {MAX_PATH_CHARACTERS} characters. Rename it."
        return FileResult(shown, "", 0, 0, 0, 0, 0, 0, error=error)
    try:
        sha256, size = _hash(file)
        what = Content(file.path, file.location, sha256, size, file.open)
        if seen is not None:
            return _look_at_content(what, max_line_bytes, seen, codes, progress)

        def note(stored: Stored) -> None:
            codes.update(fault.code.value for _, fault in stored.faults)

        return ingest_content(what, max_line_bytes, note, progress)
    except StorageFailed as error:
        logger.warning("file of scored runs could not be read", extra={"path": file.path})
        return FileResult(file.path, "", 0, 0, 0, 0, 0, 0, error=error.detail)


def _hash(file: RunFile) -> tuple[str, int]:
    """Return SHA-256 and size of a file, after a look whether it can be unpacked.

    The checksums of gzip and zstd stand behind the data they are of, so a line of a compressed file is to be trusted
    only when the whole file has been read.
    """
    with file.open() as stream:
        hashed = HashedStream(stream)
        if is_compressed(file.name):
            lines = 0
            try:
                for piece in plain_pieces(file.name, hashed):
                    lines += piece.count(b"\n")
            except DamagedStream as error:
                raise StorageFailed(f"line {lines + 1}: {error} Nothing of the file was stored.") from error
        return hashed.checksum(), hashed.size_bytes


def ingest_content(
    what: Content, max_line_bytes: int, note: Callable[[Stored], None], progress: Progress
) -> FileResult:
    """Store the lines of a content that are not stored yet, chunk by chunk; tell `note` of each."""
    row = run_write(partial(_begin, what))
    if row.finished_at is not None:
        return _result(row, is_skipped=True)
    error = ""
    with what.open() as stream:
        checked = HashedStream(stream, what.size_bytes)
        plain = _without(plain_pieces(what.path, checked), row.bytes_read)
        lines = load_lines(plain, max_line_bytes, lines_before=row.lines, offset=row.bytes_read)
        for chunk in _chunks(lines):
            if chunk[-1].ingest is Ingest.UNREADABLE:
                broken = chunk.pop()
                error = f"line {broken.raw.number}: {broken.reason}"
            if chunk:
                note(run_write(partial(store_chunk, row.pk, chunk)))
                progress(len(chunk))
        if not error and checked.checksum() != what.sha256:
            error = "The file was changed while it was read. Run this again."
    if not error:
        run_write(partial(_finish, row.pk))
    row.refresh_from_db()
    return _result(row, error=error)


def _look_at_content(
    what: Content, max_line_bytes: int, seen: dict[str, str], codes: Counter[str], progress: Progress
) -> FileResult:
    """Return what would become of a content, given the database and what was seen before."""
    row = ScoredRunFile.objects.filter(path=what.path, sha256=what.sha256).first()
    if row is not None and row.finished_at is not None:
        return _result(row, is_skipped=True)
    row = row or ScoredRunFile(path=what.path, sha256=what.sha256)
    error = ""
    with what.open() as stream:
        plain = _without(plain_pieces(what.path, stream), row.bytes_read)
        lines = load_lines(plain, max_line_bytes, lines_before=row.lines, offset=row.bytes_read)
        for chunk in _chunks(lines):
            if chunk[-1].ingest is Ingest.UNREADABLE:
                broken = chunk.pop()
                error = f"line {broken.raw.number}: {broken.reason}"
            ids = {line.run.run_id for line in chunk if line.run}
            known = known_contents(chunk) | {run_id: seen[run_id] for run_id in ids & seen.keys()}
            found = sort_lines(chunk, known)
            seen.update({line.run.run_id: line.run.content_sha256 for line in found.runs if line.run})
            for ingest in COUNTED:
                setattr(row, ingest.value, getattr(row, ingest.value) + found.counts[ingest])
            row.lines += len(chunk)
            codes.update(fault.code.value for _, fault in found.faults)
            progress(len(chunk))
    return _result(row, error=error)


def _begin(what: Content) -> ScoredRunFile:
    """Return the row of a content, made if need be, with the place where it can be read now."""
    row, _ = ScoredRunFile.objects.get_or_create(
        path=what.path,
        sha256=what.sha256,
        defaults={"size_bytes": what.size_bytes, "location": what.location, "started_at": timezone.now()},
    )
    if row.location != what.location:
        row.location = what.location
        row.save(update_fields=["location"])
    return row


def _finish(file_id: int) -> None:
    ScoredRunFile.objects.filter(pk=file_id, finished_at=None).update(finished_at=timezone.now())


def _chunks(lines: Iterator[LoadedLine]) -> Iterator[list[LoadedLine]]:
    chunk: list[LoadedLine] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.raw.data)
        if len(chunk) == CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _without(plain: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """Pass over the first bytes of a stream: they were read before."""
    for piece in plain:
        if offset >= len(piece):
            offset -= len(piece)
        else:
            yield piece[offset:] if offset else piece
            offset = 0


def _result(row: ScoredRunFile, *, is_skipped: bool = False, error: str = "") -> FileResult:
    counts = {name: getattr(row, name) for name in ("lines", *(ingest.value for ingest in COUNTED))}
    return FileResult(row.path, row.sha256, **counts, is_skipped=is_skipped, error=error)
