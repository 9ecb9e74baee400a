"""DuckDB with its Iceberg extension on a live server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.engines import open_duckdb
from tests.processes import Server
from tests.s3 import S3Endpoint


def _use(db: Any) -> None:
    """Make, write, read, change, look back, rename and drop."""
    db.execute("CREATE SCHEMA l.shop")
    db.execute("CREATE TABLE l.shop.orders (id BIGINT, note VARCHAR)")
    db.execute("INSERT INTO l.shop.orders VALUES (1, 'one'), (2, 'two')")
    first = _one(db, "SELECT snapshot_id FROM iceberg_snapshots(l.shop.orders)")
    db.execute("INSERT INTO l.shop.orders SELECT range, 'more' FROM range(3, 103)")
    assert _one(db, "SELECT count(*) FROM l.shop.orders") == 102
    assert _one(db, "SELECT count(*) FROM l.shop.orders AT (VERSION => " + str(first) + ")") == 2  # noqa: S608
    db.execute("DELETE FROM l.shop.orders WHERE id = 1")
    db.execute("UPDATE l.shop.orders SET note = 'changed' WHERE id = 2")
    assert db.execute("SELECT note FROM l.shop.orders WHERE id <= 2").fetchall() == [("changed",)]
    db.execute("ALTER TABLE l.shop.orders ADD COLUMN amount DOUBLE")
    db.execute("ALTER TABLE l.shop.orders RENAME TO sold")
    db.execute("INSERT INTO l.shop.sold VALUES (200, 'x', 1.5)")
    assert _one(db, "SELECT sum(amount) FROM l.shop.sold") == 1.5


def _use_several(db: Any) -> None:
    """Change two tables in one transaction, one of them of format version 3, one with an odd name."""
    db.execute("CREATE TABLE l.shop.three (id BIGINT) WITH ('format-version' = '3')")
    db.execute('CREATE TABLE l.shop."a/b c" (id BIGINT)')
    db.execute("BEGIN")
    db.execute("INSERT INTO l.shop.three VALUES (1), (2)")
    db.execute('INSERT INTO l.shop."a/b c" VALUES (1)')
    db.execute("COMMIT")
    db.execute("DELETE FROM l.shop.three WHERE id = 1")
    assert db.execute("SELECT id FROM l.shop.three").fetchall() == [(2,)]
    assert _one(db, 'SELECT count(*) FROM l.shop."a/b c"') == 1
    db.execute("DROP TABLE l.shop.three")
    names = db.execute("SELECT name FROM (SHOW ALL TABLES) WHERE database = 'l' ORDER BY name").fetchall()
    assert names == [("a/b c",), ("sold",)]


def _one(db: Any, sql: str) -> Any:
    return db.execute(sql).fetchone()[0]


@pytest.mark.slow
def test_duckdb_works_on_local_files(server: Server, tmp_path: Path) -> None:
    with open_duckdb(server.base_url, tmp_path) as db:
        _use(db)
        _use_several(db)


@pytest.mark.slow
def test_duckdb_works_on_s3(make_server: Any, s3: S3Endpoint, tmp_path: Path) -> None:
    bucket = s3.new_bucket()
    server = make_server(**bucket.environment)

    with open_duckdb(server.base_url, tmp_path, s3=bucket) as db:
        _use(db)
        _use_several(db)
