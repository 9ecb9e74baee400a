"""A column of a file: JSON lines, CSV, .npy or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from lakehouse_site.errors import InvalidInput

SUFFIXES = (".jsonl", ".csv", ".npy", ".parquet")


def read_numbers(path: Path, column: str) -> list[float | None] | NDArray[np.generic]:
    """Return a column of numbers; an empty field of a CSV file is missing.

    Raises
    ------
    InvalidInput
        The file cannot be read, has no such column, or holds something else there; the line is named.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    return [_number(value, path, line) for line, value in _values(path, column)]


def read_verdicts(path: Path, key: str, column: str) -> dict[str, str]:
    """Return the values of one column by those of another, both text.

    Raises
    ------
    InvalidInput
        As `read_numbers`, or a key stands there twice.
    """
    found: dict[str, str] = {}
    for (line, run), (_, category) in zip(_values(path, key), _values(path, column), strict=True):
        if not isinstance(run, str) or not isinstance(category, str):
            raise _fault(path, f"line {line}: {key} and {column} have to be text.")
        if run in found:
            raise _fault(path, f"line {line}: {key} {run!r} stands there twice.")
        found[run] = category
    return found


def _read_npy(path: Path) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _fault(path, f"it cannot be read as .npy: {error}") from error
    return array


def _values(path: Path, column: str) -> Iterator[tuple[int, object]]:
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".csv", ".parquet"):
        raise _fault(path, f"its name has to end with one of {', '.join(SUFFIXES)}.")
    try:
        yield from {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}[suffix](path, column)
    except (OSError, UnicodeDecodeError, csv.Error, pyarrow.ArrowException) as error:
        raise _fault(path, f"it cannot be read: {error}") from error


def _json_lines(path: Path, column: str) -> Iterator[tuple[int, object]]:
    with path.open("rb") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                fields = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise _fault(path, f"line {line} is no JSON: {error}.") from None
            if not isinstance(fields, dict) or column not in fields:
                raise _fault(path, f"line {line} has no field {column!r}.")
            yield line, fields[column]


def _csv(path: Path, column: str) -> Iterator[tuple[int, object]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if column not in (reader.fieldnames or ()):
            raise _fault(path, f"it has no column {column!r}; it has {', '.join(reader.fieldnames or ())}.")
        for row in reader:
            yield reader.line_num, row[column]


def _parquet(path: Path, column: str) -> Iterator[tuple[int, object]]:
    with parquet.ParquetFile(path) as file:
        if column not in file.schema_arrow.names:
            raise _fault(path, f"it has no column {column!r}; it has {', '.join(file.schema_arrow.names)}.")
        line = 0
        for batch in file.iter_batches(columns=[column]):
            for value in batch.column(0).to_pylist():
                line += 1
                yield line, value


def _number(value: object, path: Path, line: int) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return value
    try:
        if path.suffix.lower() == ".csv":
            return float(str(value))
    except ValueError:
        pass
    raise _fault(path, f"line {line}: {value!r} is no number.")


def _fault(path: Path, detail: str) -> InvalidInput:
    return InvalidInput.at("", "file", f"{path}: {detail}")
