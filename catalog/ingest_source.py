"""A file of rows as a table function of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from catalog.ingest_types import literal, sql_type

FORMATS: Final = ("csv", "jsonl", "parquet")
SAMPLE_ROWS: Final = 20_480
MAX_LINE_BYTES: Final = 16 * 1024 * 1024


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
    options = [path, f"sample_size = {sample}"]
    if source.file_format == "jsonl":
        options.append(f"compression = {literal(source.compression.replace('none', 'uncompressed'))}")
        options += ["format = 'newline_delimited'", "records = true", f"maximum_object_size = {MAX_LINE_BYTES}"]
        options += [f"columns = {_mapping(read_as)}"] if read_as else []
        return f"read_json({', '.join(options)})"
    # What it would else find out by itself leaves rows out without a word: lines at the top that do not fit the rest,
    # and lines that begin with a mark of comments.
    options += [f"compression = {literal(source.compression)}", "strict_mode = true", "skip = 0", "comment = ''"]
    # The buffers that long lines need halve the speed, so only a second reading has them.
    options += [f"max_line_size = {MAX_LINE_BYTES}"] if is_full else []
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
