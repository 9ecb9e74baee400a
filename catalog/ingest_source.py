"""A file of rows as a table function of DuckDB, and where in the file a fault lies."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from catalog.ingest_types import literal, sql_type

FORMATS: Final = ("csv", "jsonl", "parquet")
SAMPLE_ROWS: Final = 20_480
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_LINE = re.compile(r"on Line: (\d+)")
_FAULT = re.compile(r'Error when converting column "(.*)"\. (Could not convert string .*)')
_FILE = re.compile(r'\s*(in )?file "[^"]*",?|\(file [^)]*\)')


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how it is to be read.

    Attributes
    ----------
    compression
        ``none``, ``gzip`` or ``zstd``; of a text.
    types
        Iceberg type by column, where somebody has said it.
    """

    path: str
    file_format: str
    compression: str
    delimiter: str | None = None
    header: bool | None = None
    null_text: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        return self.file_format != "parquet"


def from_clause(source: Source, *, read_as: Mapping[str, str], is_full: bool) -> str:
    """Return the table function that reads a file.

    Parameters
    ----------
    read_as
        DuckDB type by column: for CSV of those that are not to be guessed, for JSON lines of all or none.
    is_full
        Types are guessed from every row and not from the first of them.
    """
    path = literal(source.path)
    if source.file_format == "parquet":
        return f"read_parquet({path})"
    sample = "-1" if is_full else str(SAMPLE_ROWS)
    options = [path, f"compression = {literal(source.compression)}", f"sample_size = {sample}"]
    if source.file_format == "jsonl":
        options += ["format = 'newline_delimited'", f"maximum_object_size = {MAX_LINE_BYTES}"]
        options += [f"columns = {_mapping(read_as)}"] if read_as else []
        return f"read_json({', '.join(options)})"
    options += ["strict_mode = true", f"max_line_size = {MAX_LINE_BYTES}"]
    options += [f"types = {_mapping(read_as)}"] if read_as else []
    options += [] if source.delimiter is None else [f"delim = {literal(source.delimiter)}"]
    options += [] if source.header is None else [f"header = {str(source.header).lower()}"]
    options += [] if source.null_text is None else [f"nullstr = {literal(source.null_text)}"]
    return f"read_csv({', '.join(options)})"


def read_as_told(source: Source) -> dict[str, str]:
    """Return the DuckDB types of the columns whose types were given."""
    return {name: sql_type(kind) for name, kind in source.types.items()}


def _mapping(types: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items()) + "}"


def fault_in(source: Source, message: str) -> str:
    """Return what is wrong with a file, with its line where it has lines, from what DuckDB says of it."""
    if source.file_format == "jsonl":
        return first_bad_line(source) or _shortened(message)
    line, fault = _LINE.search(message), _FAULT.search(message)
    if line is None:
        return _shortened(message)
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
    openers: dict[str, Any] = {"gzip": gzip.open, "zstd": zstandard.open, "none": open}
    with openers[source.compression](source.path, "rb") as lines:
        number = 0
        try:
            while line := lines.readline(MAX_LINE_BYTES + 1):
                number += 1
                why = _why_bad(line)
                if why is not None:
                    return f"Line {number}: {why}"
        except (OSError, EOFError, zstandard.ZstdError) as error:
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
