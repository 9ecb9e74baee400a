"""Files of scored runs, line by line: what each line is, before anything is known of other lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from distillation.compressed import DamagedStream, plain_pieces
from distillation.lines import RawLine, read_lines
from distillation.listing import RunFile, open_location
from distillation.validation import DEFAULT_MAX_LINE_BYTES, LineFault, ScoredRunLine, is_blank, judge
from lakehouse_site.errors import StorageFailed


class Ingest(StrEnum):
    """What becomes of a line: exactly one of these."""

    INGESTED = "ingested"
    BLANK = "blank"
    DUPLICATE_IDENTICAL = "duplicate_identical"
    INCOMPLETE_TAIL = "incomplete_tail"
    QUARANTINED = "quarantined"
    UNREADABLE = "unreadable"
    """No line: the file cannot be read from here on. It is read again next time."""


class LoadedLine(NamedTuple):
    """A line and what it is: `run` for a valid one (its `ingest` is `ingested`), else `fault` or neither."""

    raw: RawLine
    ingest: Ingest
    run: ScoredRunLine | None = None
    fault: LineFault | None = None
    reason: str = ""
    """Why the rest is unreadable."""


def load_scored_runs_from_file(
    file: RunFile | Path | str, *, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
) -> Iterator[LoadedLine]:
    """Yield every line of a file with what it holds. Never raises on content, whatever the file is.

    Parameters
    ----------
    file
        From `list_scored_run_files`, or a path; ``.gz`` and ``.zst`` are unpacked.
    max_line_bytes
        A longer line is a fault. Memory grows with it, and not with the file.

    Notes
    -----
    Where a file cannot be read, or its compressed stream is damaged, the last line has `Ingest.UNREADABLE`.
    """
    name, opened = (file.name, file.open()) if isinstance(file, RunFile) else (str(file), open_location(str(file)))
    try:
        with opened as stream:
            yield from load_lines(plain_pieces(name, stream), max_line_bytes)
    except StorageFailed as error:
        yield LoadedLine(RawLine(0, b"", 0, 0, False), Ingest.UNREADABLE, reason=error.detail)


def load_lines(
    pieces: Iterable[bytes], max_line_bytes: int, *, lines_before: int = 0, offset: int = 0
) -> Iterator[LoadedLine]:
    """Yield the lines of a stream with what they hold.

    Parameters
    ----------
    pieces
        From the end of the line `lines_before`, which is `offset` bytes from the start.
    """
    number, end = lines_before, offset
    try:
        for raw in read_lines(_until_damage(pieces), max_line_bytes, first_number=lines_before + 1, offset=offset):
            number, end = raw.number, raw.end_offset
            yield _loaded(raw, max_line_bytes)
    except _Broken as broken:
        # What stands of the line that was being read is neither a line nor a tail: the rest of it is there, damaged.
        yield LoadedLine(RawLine(number + 1, b"", 0, end, False), Ingest.UNREADABLE, reason=broken.reason)


class _Broken(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _until_damage(pieces: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    except DamagedStream as error:
        raise _Broken(str(error)) from error
    except StorageFailed as error:
        raise _Broken(error.detail) from error


def _loaded(raw: RawLine, max_line_bytes: int) -> LoadedLine:
    if is_blank(raw):
        return LoadedLine(raw, Ingest.BLANK)
    judged = judge(raw, max_line_bytes)
    if isinstance(judged, ScoredRunLine):
        return LoadedLine(raw, Ingest.INGESTED, judged)
    if judged is None:
        return LoadedLine(raw, Ingest.INCOMPLETE_TAIL)
    return LoadedLine(raw, Ingest.QUARANTINED, None, judged)
