"""What is wrong with a file of rows, and in which line: DuckDB does not always say, or counts from somewhere else."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import zstandard

from catalog.ingest_source import MAX_LINE_BYTES, Source

SEPARATORS: Final = ",;\t|"
_OPENERS: Final[Mapping[str, Any]] = {"gzip": gzip.open, "zstd": zstandard.open, "none": open}
_UNPACKING: Final = (OSError, EOFError, zstandard.ZstdError)
_LINE = re.compile(r"on Line: (\d+)")
_FAULT = re.compile(r'Error when converting column "(.*)"\. (Could not convert string .*)')
_FILE = re.compile(r'\s*(in )?file "[^"]*",?|\(file [^)]*\)')


def fault_in(source: Source, message: str) -> str:
    """Return what is wrong with a file, with its line where it has lines, from what DuckDB says of it."""
    if source.file_format == "jsonl":
        return first_bad_line(source) or _shortened(message)
    line, fault = _LINE.search(message), _FAULT.search(message)
    if line is None:
        return (source.file_format == "csv" and first_odd_line(source)) or _shortened(message)
    if fault is None:
        return f"Line {line[1]}: {_shortened(message)}"
    return (
        f"Line {line[1]}, column {fault[1]!r}: {fault[2]}. If this is no mistake, give the column another type, "
        "for example string."
    )


def _shortened(message: str) -> str:
    """Return the part of a message that is not about our own call of DuckDB."""
    text = message.partition("\n\n")[0].partition("Possible ")[0]
    text = text.partition("LINE 1:")[0]
    return _FILE.sub("", text).strip()[:1000]


def first_bad_line(source: Source) -> str | None:
    """Return what is wrong with the first line that is not an object of JSON; None when all lines are.

    Notes
    -----
    DuckDB counts the lines of JSON from where one of its threads began to read.
    """
    with _OPENERS[source.compression](source.path, "rb") as lines:
        number = 0
        try:
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                why = _why_bad(line)
                if why is not None:
                    return f"Line {number}: {why}"
        except _UNPACKING as error:
            return f"After line {number} the file cannot be unpacked: {error}."
    return None


def _why_bad(line: bytes) -> str | None:
    if len(line) > MAX_LINE_BYTES:
        return f"it has more than {MAX_LINE_BYTES} bytes."
    if not line.strip():
        return None
    try:
        value = json.loads(line)
    except UnicodeDecodeError:
        return "it is not UTF-8."
    except ValueError as error:
        return f"it is not JSON ({error})."
    except RecursionError:
        return "it is nested too deeply."
    return None if isinstance(value, dict) else "it is not an object; expected {…}."


def first_odd_line(source: Source) -> str | None:
    """Return which line of a CSV is the first with more or fewer fields than the one at the top; None without one.

    Notes
    -----
    One such line, and DuckDB takes a file of many columns for one of a single column with separators in its texts.
    """
    with _OPENERS[source.compression](source.path, "rb") as packed:
        lines = io.TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline="")
        try:
            top = lines.readline(MAX_LINE_BYTES)
            separator = source.delimiter or max(SEPARATORS, key=top.count)
            if separator not in top or len(separator) > 1:
                return None
            csv.field_size_limit(MAX_LINE_BYTES)
            expected = len(next(csv.reader([top], delimiter=separator)))
            rows = csv.reader(lines, delimiter=separator)
            for row in rows:
                if row and len(row) != expected:
                    return (
                        f"Line {rows.line_num + 1}: {len(row)} fields where the first line has {expected}, "
                        f"separated by {separator!r}. If that is no separator, give another as `delimiter`."
                    )
        except (csv.Error, StopIteration, *_UNPACKING) as error:
            return f"The file cannot be read as CSV: {error}."
    return None
