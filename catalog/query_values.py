"""Rows of an answer as JSON, CSV or Arrow. Every type of DuckDB has a form in JSON:

decimals and integers beyond 64 bits are texts, times are ISO 8601 texts, binary (and bit strings) is base64, a map is a
list of pairs, and NaN and the infinities, which JSON does not have, are null. In CSV null is the empty field, and what
is nested is JSON.
"""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import io
import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

FORMATS: Final = ("json", "csv", "arrow")
_INT64 = 2**63
# How Arrow writes the infinite dates and times of DuckDB, which are the greatest numbers there are.
_BEYOND = re.compile(r"<value out of range: (-?)\d+>")


class Sink(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


def json_value(value: Any) -> Any:
    """Return a value as something that is valid JSON."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < 2 * _INT64 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "nanoseconds"):
        return [json_value(item) for item in value]
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return _odd_value(value)


def _odd_value(value: Any) -> Any:
    if isinstance(value, datetime.timedelta):
        return f"PT{value.total_seconds():f}S"
    if hasattr(value, "nanoseconds") and hasattr(value, "months"):  # an interval: of no fixed length
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1_000_000_000:f}S"
    return str(value)


def columns_as_json(batch: pa.RecordBatch) -> list[list[Any]]:
    """Return the columns of a batch as lists of JSON values."""
    return [[json_value(value) for value in _values(column)] for column in batch.columns]


def _values(column: pa.Array) -> list[Any]:
    if (pa.types.is_timestamp(column.type) and column.type.unit == "ns") or pa.types.is_time64(column.type):
        return _as_text(column)
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):  # a date that Python does not have
        return _as_text(column)
    return values


def _as_text(column: pa.Array) -> list[Any]:
    texts: list[Any] = pc.cast(column, pa.string()).to_pylist()
    return [text if text is None else _BEYOND.sub(r"\1infinity", text).replace(" ", "T", 1) for text in texts]


class JsonRows:
    """``{"columns": […], "rows": [[…], …]`` without the end: who sends it has more to say."""

    def __init__(self, columns: Sequence[tuple[str, str]], schema: pa.Schema, sink: Sink) -> None:
        self._sink = sink
        self._comma = b""
        named = [{"name": name, "type": kind} for name, kind in columns]
        sink(b'{"columns":' + orjson.dumps(named) + b',"rows":[')

    def write(self, batch: pa.RecordBatch) -> None:
        rows = [orjson.dumps(row) for row in zip(*columns_as_json(batch), strict=True)]
        self._sink(self._comma + b",".join(rows))
        self._comma = b","

    def close(self) -> None:
        self._sink(b"]")


class CsvRows:
    """A line of names, then a line for each row."""

    def __init__(self, columns: Sequence[tuple[str, str]], schema: pa.Schema, sink: Sink) -> None:
        self._sink = sink
        self._write([[name for name, _ in columns]])

    def write(self, batch: pa.RecordBatch) -> None:
        self._write(zip(*columns_as_json(batch), strict=True))

    def close(self) -> None:
        """Nothing is missing."""

    def _write(self, rows: Iterable[Iterable[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
        self._sink(text.getvalue().encode())


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value


class ArrowRows:
    """An Arrow IPC stream, with DuckDB's own types."""

    def __init__(self, columns: Sequence[tuple[str, str]], schema: pa.Schema, sink: Sink) -> None:
        self._file = _Pieces(sink)
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, mode="w"), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Pieces(io.RawIOBase):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sink(bytes(data))
        return len(data)


WRITERS: Final[dict[str, Callable[[Sequence[tuple[str, str]], pa.Schema, Sink], JsonRows | CsvRows | ArrowRows]]] = {
    "json": JsonRows,
    "csv": CsvRows,
    "arrow": ArrowRows,
}
