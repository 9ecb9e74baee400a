"""The rows of a table for a query, as something DuckDB can ask for Arrow batches as often as it likes.

This runs in the worker, in code of ours, over the list of files that the web process has looked up and confined; what
DuckDB itself may open is nothing. Files that are plainly what the table's schema says, nearly all of them, become an
Arrow dataset, into which DuckDB pushes the columns and filters of the query. With deletes, renamed columns, widened
types or nested ones pyiceberg reads, which costs the import and every column.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

_PLAIN: Final[Mapping[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
    "binary": pa.binary(),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


def feed_of(fields: Sequence[Mapping[str, Any]], files: Mapping[str, str], has_deletes: bool, scan: bytes) -> Any:
    """Return what a table's rows are read from.

    Parameters
    ----------
    fields
        Of the table's current schema, as in its metadata.
    files
        Local path by location, of data files and of delete files.
    has_deletes
        Whether any of `files` says which rows of another are no more.
    scan
        The pickled scan: metadata and tasks. It comes from our own process.
    """
    schema = None if has_deletes else _plain_schema(fields)
    if schema is not None and all(_is_plain_file(path, fields, schema) for path in files.values()):
        if not files:
            return schema.empty_table()
        return ds.dataset(list(files.values()), schema=schema, format="parquet")
    return _IcebergFeed(files, scan)


def _plain_schema(fields: Sequence[Mapping[str, Any]]) -> pa.Schema | None:
    types = [_plain_type(field) for field in fields]
    if None in types or any("initial-default" in field for field in fields):
        return None
    return pa.schema([pa.field(str(field["name"]), kind) for field, kind in zip(fields, types, strict=True)])


def _plain_type(field: Mapping[str, Any]) -> pa.DataType | None:
    kind = field["type"]
    if not isinstance(kind, str):
        return None
    decimal = _DECIMAL.fullmatch(kind)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else _PLAIN.get(kind)


def _is_plain_file(path: str, fields: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bool:
    """Return whether a file's columns are the schema's by id, name and type, so that they may be found by name."""
    found = pq.read_schema(path)
    by_name: dict[str, pa.Field] = {field.name: field for field in found}
    if len(by_name) != len(found) or len(found) != len(fields):
        return False
    for field, wanted in zip(fields, schema, strict=True):
        column = by_name.get(wanted.name)
        field_id = str(field["id"]).encode()
        if column is None or column.type != wanted.type or (column.metadata or {}).get(b"PARQUET:field_id") != field_id:
            return False
    return True


class _IcebergFeed:
    """Rows as pyiceberg reads them: by field id, without those that delete files name. Each call is a new scan."""

    def __init__(self, files: Mapping[str, str], scan: bytes) -> None:
        # Importing pyiceberg takes as long as many a query, so only who needs it pays.
        from pyiceberg.io.pyarrow import schema_to_pyarrow

        metadata, self._tasks = pickle.loads(scan)  # noqa: S301 (our own process wrote it)
        self._metadata = metadata
        self._files = files
        self._schema = schema_to_pyarrow(metadata.schema(), include_field_ids=False)

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        from pyiceberg.expressions import AlwaysTrue
        from pyiceberg.io.pyarrow import ArrowScan

        from catalog.query_files import ListedFiles

        scan = ArrowScan(self._metadata, ListedFiles(self._files), self._metadata.schema(), AlwaysTrue())
        for task in self._tasks:  # one by one: the scan holds all batches of the tasks it is given
            for batch in scan.to_record_batches([task]):
                yield pa.RecordBatch.from_arrays(
                    [column.cast(field.type) for column, field in zip(batch.columns, self._schema, strict=True)],
                    schema=self._schema,
                )
