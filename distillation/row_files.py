"""Files of rows, JSON lines or Parquet: the same rows give the same bytes, and what is read is what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from distillation.format_checks import columns_of
from distillation.formats import Format, TrainingRow
from distillation.pipeline_types import Json

if TYPE_CHECKING:
    import pyarrow as pa  # 40 MiB and a tenth of a second, so only where files are written and read

GROUP_ROWS = 4_096


class FileType(StrEnum):
    """How rows stand in a file."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def json_line(value: object) -> bytes:
    """Return a value as one line of JSON with its keys in their order, and LF."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def row_sha256(row: Json) -> str:
    """Return the SHA-256 of a row as JSON without a line end, whatever file it stands in."""
    return hashlib.sha256(orjson.dumps(row)).hexdigest()


def schema_of(format_name: str, *, system_column: bool) -> pa.Schema:
    """Return the columns of a format as Arrow types."""
    import pyarrow as pa

    turns = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    types = {
        "system": pa.string(),
        "messages": turns,
        "chosen": turns,
        "rejected": turns,
        "conversations": pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])),
        "label": pa.bool_(),
    }
    default = pa.string() if format_name in (Format.PROMPT_COMPLETION, Format.ALPACA) else turns
    names = columns_of(format_name, system_column=system_column)
    return pa.schema([pa.field(name, types.get(name, default)) for name in names])


def write_rows(path: Path, rows: Iterable[TrainingRow], *, file_type: str, schema: pa.Schema) -> int:
    """Write a new file of rows.

    Parameters
    ----------
    path
        Where to; what is there is replaced.
    rows
        The rows, of the columns of `schema`.
    file_type
        A `FileType`.
    schema
        From `schema_of`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    OSError
        The file cannot be written.

    Notes
    -----
    Parquet: compression and layout are fixed here and no time is written, so the bytes depend on the rows and the
    version of pyarrow alone, which stands in the file.
    """
    if file_type == FileType.JSONL:
        with path.open("wb") as file:
            return _write_lines(file, rows)
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=3, version="2.6", data_page_version="1.0"
    ) as writer:
        count = 0
        remaining = iter(rows)
        while group := list(islice(remaining, GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
        return count


def _write_lines(file: BinaryIO, rows: Iterable[TrainingRow]) -> int:
    count = 0
    for row in rows:
        file.write(json_line(row))
        count += 1
    return count


def read_rows(file: BinaryIO, *, file_type: str) -> Iterator[Json]:
    """Yield the rows of a written file.

    Raises
    ------
    ValueError
        It is not such a file.
    """
    if file_type == FileType.JSONL:
        for line in file:
            if not line.endswith(b"\n"):
                raise ValueError("The last line has no end.")
            yield orjson.loads(line)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(pa.PythonFile(file, mode="r"))
        for batch in parquet.iter_batches(GROUP_ROWS):
            batch.validate(full=True)
            yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise ValueError(f"It cannot be read as Parquet: {error}.") from error
