"""pgvector in a Postgres of our own, durable as the service is, asked with prepared statements in binary."""

from __future__ import annotations

import json
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K
from benchmarks.environments import Unavailable

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
ROOM = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB", "max_wal_size": "4GB"}
COPY_HEAD, COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), struct.pack(">h", -1)


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    try:
        import psycopg

        from tests import postgres
    except ImportError as error:
        raise Unavailable(f"{error}; make install-dev installs it") from None
    # The tests' server does without durability, and so without most of what writing costs.
    stack.enter_context(patch.dict(postgres.OPTIONS, DURABLE | ROOM))
    try:
        server = stack.enter_context(postgres.run_postgres())
    except RuntimeError as error:
        raise Unavailable(str(error).splitlines()[0]) from None
    url = server.url("postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    return Served({"url": url}, server.process.pid)


def make(config: dict[str, Any]) -> Pgvector:
    return Pgvector(config["url"])


class Pgvector:
    def __init__(self, url: str) -> None:
        import psycopg
        from psycopg.adapt import Dumper
        from psycopg.pq import Format

        self._link = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self._cursor = self._link.cursor(binary=True)
        kind = self._link.execute("SELECT oid FROM pg_type WHERE typname = 'vector'").fetchone()

        class PackedDumper(Dumper):
            oid = kind[0] if kind else 0
            format = Format.BINARY

            def dump(self, obj: Any) -> bytes:
                return bytes(obj)

        self._cursor.adapters.register_dumper(Packed, PackedDumper)
        self._link.execute("SET hnsw.iterative_scan = strict_order")

    def version(self) -> str:
        query = "SELECT extversion, current_setting('server_version') FROM pg_extension WHERE extname = 'vector'"
        row = self._link.execute(query).fetchone()
        return f"pgvector {row[0]} on Postgres {row[1]}" if row else "pgvector"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        self._run(f"CREATE TABLE {_quoted(name)} (key text PRIMARY KEY, v vector({dimension}), metadata jsonb, n int)")
        if indexed:
            self.finish(name)

    def drop(self, name: str) -> None:
        self._run(f"DROP TABLE {_quoted(name)}")

    def batch(self, data: Data, low: int, high: int) -> Any:
        rows = zip(data.keys[low:high], data.vectors[low:high], data.metadata[low:high], strict=True)
        return COPY_HEAD + b"".join(_copy_row(key, row, fields) for key, row, fields in rows) + COPY_END

    def add(self, name: str, batch: Any) -> None:
        with self._cursor.copy(f"COPY {_quoted(name)} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.write(batch)

    def finish(self, name: str) -> None:
        self._run(
            f"CREATE INDEX IF NOT EXISTS {_quoted(name + '-v')} ON {_quoted(name)} "
            "USING hnsw (v vector_cosine_ops) WITH (m = 16, ef_construction = 200)"
        )
        self._run(f"CREATE INDEX IF NOT EXISTS {_quoted(name + '-n')} ON {_quoted(name)} (n)")
        self._run(f"VACUUM ANALYZE {_quoted(name)}")

    def tune(self, name: str, effort: int) -> None:
        self._run(f"SET hnsw.ef_search = {int(effort)}")

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        where = "" if below is None else f"WHERE n < {int(below)}"
        # The JSON is taken as text: to parse it is no work of the database's.
        query = f"SELECT key, v <=> %s, metadata::text FROM {_quoted(name)} {where} ORDER BY v <=> %s LIMIT {K}"  # noqa: S608
        packed = Packed(_packed(vectors[0]))
        return query.encode(), (packed, packed)

    def ask(self, question: Any) -> Any:
        query, parameters = question
        return self._cursor.execute(query, parameters, prepare=True).fetchall()

    def ids(self, answer: Any) -> list[list[str]]:
        return [[row[0] for row in answer]]

    def _run(self, statement: str) -> None:
        self._link.execute(statement.encode())


class Packed(bytes):
    """A vector in pgvector's binary form."""


def _packed(row: Float32s) -> bytes:
    return struct.pack(">hh", len(row), 0) + row.astype(np.dtype(">f4")).tobytes()


def _copy_row(key: str, row: Float32s, fields: dict[str, Any]) -> bytes:
    values = (key.encode(), _packed(row), b"\x01" + json.dumps(fields).encode(), struct.pack(">i", fields["n"]))
    return struct.pack(">h", len(values)) + b"".join(struct.pack(">i", len(value)) + value for value in values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "") + '"'
