"""The process that parses a file: `python -m catalog.ingest_worker LIFELINE`, started by `catalog.ingest`.

It first says what columns the file has; told what they are to become, it writes Parquet files, with the ids of the
table's fields, into a folder for it alone. DuckDB may open the one file and that folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from catalog import worker_frames
from catalog.ingest_faults import fault_in, first_odd_line
from catalog.ingest_source import Source, from_clause, read_as_told
from catalog.ingest_types import Ids, field_ids, iceberg_type, literal, quoted, sql_type
from catalog.worker_limits import end_with_parent, limit_process
from lakehouse_site.errors import InvalidInput

FILE_SIZE: Final = "256MB"
_WHOLE_NUMBERS: Final = frozenset({"tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger"})
_NOT_AS_WRITTEN = "lakehouse: not as written"


def main() -> None:
    """Serve requests about one file over standard input and output, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    end_with_parent(int(sys.argv[1]))
    requests = sys.stdin.buffer
    frame = worker_frames.read_frame(requests)
    if frame is None or frame.message is None:
        return
    job = frame.message
    limit_process(memory_mb=job["memory_mb"], cpu_seconds=job["cpu_seconds"], may_write_files=True)
    source = Source(**job["source"])
    connection = _locked(source, job)
    worker = _Worker(connection, source, job["folder"])
    while (frame := worker_frames.read_frame(requests)) is not None and frame.message is not None:
        worker_frames.write_message(answers, _answer(worker, frame.message))


def _locked(source: Source, job: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        config={"memory_limit": f"{job['memory_mb']}MB", "threads": len(os.sched_getaffinity(0))}
    )
    for lock in (
        f"SET allowed_paths = [{literal(source.path)}]",
        f"SET allowed_directories = [{literal(job['folder'])}]",
        "SET python_enable_replacements = false",
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET temp_directory = ''",
        "SET TimeZone = 'UTC'",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(lock)
    return connection


class _Worker:
    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source, folder: str) -> None:
        self.source = source
        self._connection = connection
        self._folder = folder
        self._written = 0
        self._duckdb_types: dict[str, Any] = {}

    def describe(self, is_full: bool) -> dict[str, Any]:
        """Say which columns the file has, and what they are in a table."""
        read_as = read_as_told(self.source)
        if self.source.file_format == "jsonl":
            read_as = {}
        relation = self._connection.sql(f"FROM {from_clause(self.source, read_as=read_as, is_full=is_full)}")
        self._duckdb_types = dict(zip(relation.columns, relation.types, strict=True))
        if self.source.file_format == "csv" and self.source.delimiter is None and len(self._duckdb_types) == 1:
            odd = first_odd_line(self.source)
            if odd is not None:
                return {"kind": "refused", "detail": odd}
        ids = Ids(len(relation.columns) + 1)
        columns = [
            {
                "name": name,
                "found": str(kind),
                "type": self.source.types.get(name) or iceberg_type(kind, name, ids),
            }
            for name, kind in self._duckdb_types.items()
        ]
        return {"kind": "columns", "columns": columns}

    def write(self, fields: Sequence[Mapping[str, Any]], told: Sequence[str], is_full: bool) -> dict[str, Any]:
        """Write the file's rows as the fields of a table.

        Parameters
        ----------
        fields
            Of the table: id, name, type; those the file does not have are left out of what is written.
        told
            Columns whose type is not a guess.
        is_full
            The guesses are from every row, so nothing is left to check.
        """
        ours = [field for field in fields if field["name"] in self._duckdb_types]
        checked = set() if is_full or self.source.file_format != "csv" else self._guessed_numbers(told)
        read_as = self._read_as(ours, told, checked)
        wanted = ", ".join(_expression(field, field["name"] in checked) for field in ours)
        self._written += 1
        folder = str(Path(self._folder) / f"try-{self._written}")
        rows = self._connection.execute(
            f"COPY (SELECT {wanted} FROM {from_clause(self.source, read_as=read_as, is_full=is_full)})"  # noqa: S608
            f" TO {literal(folder)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1,"
            f" FILE_SIZE_BYTES '{FILE_SIZE}', RETURN_FILES true, FIELD_IDS {field_ids(ours)})"
        ).fetchone()
        count, files = rows if rows is not None else (0, [])
        return {"kind": "written", "rows": count, "files": files if count else []}

    def _guessed_numbers(self, told: Sequence[str]) -> set[str]:
        return {name for name, kind in self._duckdb_types.items() if kind.id in _WHOLE_NUMBERS and name not in told}

    def _read_as(self, fields: Sequence[Mapping[str, Any]], told: Sequence[str], checked: set[str]) -> dict[str, str]:
        if self.source.file_format == "parquet":
            return {}
        known = {field["name"]: sql_type(field["type"]) for field in fields}
        guessed = {name: str(kind) for name, kind in self._duckdb_types.items()}
        given = {name: known[name] for name in told if name in known and _is_simple(known[name])}
        return {**guessed, **given, **dict.fromkeys(checked, "VARCHAR")}


def _is_simple(kind: str) -> bool:
    return not kind.endswith("]") and not kind.startswith(("STRUCT", "MAP"))


def _expression(field: Mapping[str, Any], is_checked: bool) -> str:
    """Return how a column is written. A guess from the first rows must not take the zeros of a later 007 away."""
    name, value = quoted(field["name"]), f"CAST({quoted(field['name'])} AS {sql_type(field['type'])})"
    if field.get("required"):
        fault = f"The column {field['name']!r} is required in the table and empty in a row."
        return f"CASE WHEN {name} IS NULL THEN error({literal(fault)}) ELSE {value} END AS {name}"
    if not is_checked:
        return f"{value} AS {name}"
    fault = f"error({literal(_NOT_AS_WRITTEN)})"
    return f"CASE WHEN {name} IS NULL OR CAST({value} AS VARCHAR) = {name} THEN {value} ELSE {fault} END AS {name}"


def _answer(worker: _Worker, request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if request["kind"] == "describe":
            return worker.describe(request["is_full"])
        return worker.write(request["fields"], request["told"], request["is_full"])
    except InvalidInput as error:
        return {"kind": "refused", "detail": error.detail}
    except (MemoryError, duckdb.OutOfMemoryException):
        return {"kind": "memory", "detail": "The file needs more memory than an ingest may have."}
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
        return {"kind": "mistyped", "detail": fault_in(worker.source, str(error))}
    except (duckdb.Error, OSError) as error:
        return {"kind": "refused", "detail": fault_in(worker.source, str(error))}


if __name__ == "__main__":
    main()
    os._exit(0)
