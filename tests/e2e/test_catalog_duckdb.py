"""DuckDB with its Iceberg extension on a live server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.engines import open_duckdb
from tests.processes import Server
from tests.s3 import S3Endpoint


def _use(db: Any) -> None:
    """Make, write, read, change, look back, and drop."""
    db.execute("CREATE SCHEMA l.shop")
    db.execute("CREATE TABLE l.shop.orders (id BIGINT, note VARCHAR)")
    db.execute("INSERT INTO l.shop.orders VALUES (1, 'one'), (2, 'two')")
    db.execute("INSERT INTO l.shop.orders SELECT range, 'more' FROM range(3, 103)")

    assert db.execute("SELECT count(*), sum(id) FROM l.shop.orders").fetchone() == (102, 3 + sum(range(3, 103)))
    first = db.execute("SELECT min(sequence_number), min(snapshot_id) FROM iceberg_snapshots(l.shop.orders)").fetchone()
    assert first[0] == 1
    old = f"SELECT count(*) FROM l.shop.orders AT (VERSION => {first[1]})"
    db.execute("DELETE FROM l.shop.orders WHERE id = 1")
    db.execute("UPDATE l.shop.orders SET note = 'changed' WHERE id = 2")
    assert db.execute("SELECT note FROM l.shop.orders WHERE id <= 2").fetchall() == [("changed",)]

    db.execute("CREATE TABLE l.shop.copy AS SELECT * FROM l.shop.orders WHERE id > 50")
    assert db.execute("SELECT count(*) FROM l.shop.copy").fetchone() == (52,)
    db.execute("BEGIN")
    db.execute("INSERT INTO l.shop.copy VALUES (1000, 'x')")
    db.execute("INSERT INTO l.shop.orders VALUES (1000, 'x')")
    db.execute("COMMIT")
    assert db.execute("SELECT count(*) FROM l.shop.copy").fetchone() == (53,)
    db.execute("DROP TABLE l.shop.copy")
    assert [
        row[0] for row in db.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'l'").fetchall()
    ] == ["orders"]


@pytest.mark.slow
def test_duckdb_works_on_local_files(server: Server, tmp_path: Path) -> None:
    with open_duckdb(server.base_url, tmp_path) as db:
        _use(db)


@pytest.mark.slow
def test_duckdb_works_on_s3(make_server: Any, s3: S3Endpoint, tmp_path: Path) -> None:
    bucket = s3.new_bucket()
    server = make_server(**bucket.environment)

    with open_duckdb(server.base_url, tmp_path, s3=bucket) as db:
        _use(db)
