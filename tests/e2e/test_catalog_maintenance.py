"""Tables that DuckDB has written, with its files of deletes, under the commands of maintenance beside a live server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.engines import open_duckdb
from tests.processes import Server, run_manage

pytestmark = pytest.mark.slow

VERSIONS = (2, 3)


def _run(server: Server, *arguments: str) -> Any:
    return json.loads(run_manage(*arguments, "--json", environment=server.environment).stdout)


def _write(db: Any, version: int) -> None:
    table = f"l.ns.d{version}"
    db.execute(f"CREATE TABLE {table} (id BIGINT, s VARCHAR) WITH ('format-version' = '{version}')")
    for first in (0, 10, 20):
        db.execute(f"INSERT INTO {table} SELECT range + {first}, 'x' FROM range(10)")  # noqa: S608
    db.execute(f"DELETE FROM {table} WHERE id % 4 = 1")  # noqa: S608
    db.execute(f"DELETE FROM {table} WHERE id % 4 = 2")  # noqa: S608
    for first in (100, 110):
        db.execute(f"INSERT INTO {table} SELECT range + {first}, 'y' FROM range(10)")  # noqa: S608


def _ids(db: Any, version: int) -> list[int]:
    return [row[0] for row in db.execute(f"SELECT id FROM l.ns.d{version} ORDER BY id").fetchall()]  # noqa: S608


def test_what_duckdb_has_written_stays_whole(server: Server, tmp_path: Path) -> None:
    with open_duckdb(server.base_url, tmp_path) as db:
        db.execute("CREATE SCHEMA l.ns")
        for version in VERSIONS:
            _write(db, version)
        before = {version: _ids(db, version) for version in VERSIONS}

        assert _run(server, "lake_fsck")["faults"] == []
        compacted = _run(server, "lake_compact", "--min-files", "2")["tables"]
        expired = _run(server, "lake_expire", "--older-than", "0", "--keep", "1", "--grace", "0")
        assert _run(server, "lake_fsck")["faults"] == []
        assert _run(server, "lake_orphans", "--older-than", "1h")["files"] == 0

    assert len(before[2]) == 15 + 20
    assert [(one["files_before"], one["files_after"]) for one in compacted] == [(2, 1), (0, 0)]
    assert "version is 3" in compacted[1]["skipped"]
    assert [len(one["snapshots"]) for one in expired["tables"]] == [7, 6]
    assert all(one["removal"]["files"] for one in expired["tables"])
    with open_duckdb(server.base_url, tmp_path) as db:
        assert {version: _ids(db, version) for version in VERSIONS} == before
        db.execute("INSERT INTO l.ns.d2 VALUES (1000, 'z')")
        db.execute("DELETE FROM l.ns.d2 WHERE id = 100")
        assert _ids(db, 2) == sorted({*before[2], 1000} - {100})
