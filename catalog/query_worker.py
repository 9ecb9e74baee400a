"""The process in which a query runs: `python -m catalog.query_worker LIFELINE`, started by `catalog.query`.

It is told a statement, checks its tree, asks for the tables that are in it, makes them known to DuckDB, locks DuckDB's
configuration with every door shut, and only then runs the statement. See `worker_limits` for what holds the process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, Final

import catalog.worker_imports  # noqa: F401  before pyarrow

# isort: split
import duckdb
import pyarrow as pa
import pyarrow.dataset

from catalog import worker_frames
from catalog.query_feeds import feed_of
from catalog.query_values import WRITERS
from catalog.sql_tree import SqlRefused, TableName, check_text, check_tree
from catalog.worker_limits import end_with_parent, limit_process

THREADS: Final = 2
BATCH_ROWS: Final = 2_048
_LOCKS: Final = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET allow_unsigned_extensions = false",
    "SET allow_persistent_secrets = false",
    "SET temp_directory = ''",
    "SET max_temp_directory_size = '0B'",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class _TooLarge(Exception):
    """The answer is over its limit of bytes."""


def main() -> None:
    """Answer one query over standard input and output."""
    # Whatever prints must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    end_with_parent(int(sys.argv[1]))
    threading.stack_size(1024 * 1024)
    requests = sys.stdin.buffer
    frame = worker_frames.read_frame(requests)
    if frame is None or frame.message is None:
        return
    job = frame.message
    pa.set_cpu_count(THREADS)
    limit_process(memory_mb=job["memory_mb"], cpu_seconds=THREADS * job["seconds"], may_write_files=False)
    try:
        _answer(job, requests, answers)
    except SqlRefused as error:
        _fail(answers, "refused", error.reason, error.position)
    except _TooLarge:
        _fail(answers, "too_large", f"The answer has more than {job['max_bytes']} bytes.")
    except (MemoryError, duckdb.OutOfMemoryException, pa.ArrowMemoryError):
        _fail(answers, "memory", "The query needs more memory than a query may have.")
    except (duckdb.Error, pa.ArrowException, OSError, ValueError, RecursionError) as error:
        _fail(answers, "failed", str(error) or type(error).__name__)


def _answer(job: Mapping[str, Any], requests: IO[bytes], answers: IO[bytes]) -> None:
    sql: str = job["sql"]
    check_text(sql)
    connection = duckdb.connect(config={"memory_limit": f"{job['memory_mb']}MB", "threads": THREADS})
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tables = check_tree(json.loads(row[0]) if row else {})
    worker_frames.write_message(answers, {"kind": "tables", "tables": [[t.catalog, t.schema, t.table] for t in tables]})
    for number, table in enumerate(tables):
        described, scan = worker_frames.read_frame(requests), worker_frames.read_frame(requests)
        if described is None or described.message is None or scan is None:
            return
        facts = described.message
        feed = feed_of(facts["fields"], facts["files"], facts["has_deletes"], scan.data)
        _make_known(connection, table, f"feed_{number}", feed)
    for lock in _LOCKS:
        connection.execute(lock)
    _send_rows(connection, job, answers)


def _make_known(connection: duckdb.DuckDBPyConnection, table: TableName, feed_name: str, feed: Any) -> None:
    connection.register(feed_name, feed)
    parts = [part for part in (table.catalog, table.schema) if part]
    if table.catalog:
        connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {quoted(table.catalog)}")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(map(quoted, parts))}")
    name = ".".join(map(quoted, [*parts, table.table]))
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {feed_name}")  # noqa: S608


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _send_rows(connection: duckdb.DuckDBPyConnection, job: Mapping[str, Any], answers: IO[bytes]) -> None:
    sent, left = 0, int(job["limit"])

    def send(data: bytes) -> None:
        nonlocal sent
        sent += len(data)
        if sent > job["max_bytes"]:
            raise _TooLarge
        worker_frames.write_data(answers, data)

    (statement,) = connection.extract_statements(job["sql"])
    if statement.type != duckdb.StatementType.SELECT:
        raise SqlRefused("Only a SELECT is taken here.")
    cursor = connection.execute(statement)
    columns = [(str(column[0]), str(column[1])) for column in cursor.description or []]
    reader = cursor.to_arrow_reader(BATCH_ROWS)
    writer = WRITERS[job["format"]](columns, reader.schema, send)
    is_cut = False
    for batch in reader:
        is_cut = batch.num_rows > left
        part = batch.slice(0, left)
        if part.num_rows:
            writer.write(part)
        left -= part.num_rows
        if is_cut:
            break
    writer.close()
    worker_frames.write_message(answers, {"kind": "done", "rows": int(job["limit"]) - left, "is_cut": is_cut})


def _fail(answers: IO[bytes], kind: str, detail: str, position: int | None = None) -> None:
    worker_frames.write_message(answers, {"kind": kind, "detail": detail, "position": position})


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Without the interpreter's clean-up: DuckDB may still be busy with what nobody waits for.
    os._exit(0)
