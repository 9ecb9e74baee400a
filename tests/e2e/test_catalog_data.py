"""Ingest and query on a live server, beside DuckDB as an engine of its own, and while others do their worst."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.catalog.engines import open_duckdb
from tests.catalog.hostile_sql import BOMBS
from tests.conftest import MakeServer
from tests.processes import Server
from tests.s3 import S3Endpoint

MakeHttp = Callable[..., httpx.Client]
ROWS = 2_000
CSV = "code,amount\n" + "".join(f"{number:05},{number / 2}\n" for number in range(ROWS))

pytestmark = pytest.mark.slow


def ingest(client: httpx.Client, table: str) -> dict[str, Any]:
    answer = client.post(
        "/v1/catalog/ingest", data={"table": table, "mode": "create"}, files={"file": ("orders.csv", CSV)}
    )
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def ask(client: httpx.Client, sql: str) -> list[list[Any]]:
    answer = client.post("/v1/catalog/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = answer.json()["rows"]
    return rows


def change_with_duckdb(db: Any, table: str) -> None:
    db.execute(f"DELETE FROM l.{table} WHERE amount < 100")  # noqa: S608
    db.execute(f"UPDATE l.{table} SET amount = 0 WHERE amount >= 900")  # noqa: S608


def test_what_an_engine_deletes_and_changes_is_gone_and_changed_for_a_query(
    server: Server, make_http: MakeHttp, tmp_path: Path
) -> None:
    client = make_http(server)
    assert ingest(client, "shop.orders")["rows"] == ROWS
    expected = "SELECT count(*), sum(amount), min(code) FROM {}"

    with open_duckdb(server.base_url, tmp_path) as db:
        change_with_duckdb(db, "shop.orders")
        db.execute("CREATE TABLE l.shop.three (code VARCHAR, amount DOUBLE) WITH ('format-version' = '3')")
        db.execute(f"INSERT INTO l.shop.three SELECT range::VARCHAR, range / 2 FROM range({ROWS})")  # noqa: S608
        change_with_duckdb(db, "shop.three")

        for table in ("shop.orders", "shop.three"):
            (theirs,) = db.execute(expected.format(f"l.{table}")).fetchall()
            assert ask(client, expected.format(table)) == [list(theirs)]
            assert theirs[0] == ROWS - 200


def test_a_file_goes_in_and_is_asked_and_read_by_an_engine_on_s3(
    make_server: MakeServer, make_http: MakeHttp, s3: S3Endpoint, tmp_path: Path
) -> None:
    bucket = s3.new_bucket()
    server = make_server(**bucket.environment)
    client = make_http(server)

    first, again = ingest(client, "shop.orders"), ingest(client, "shop.orders")

    assert (first["deduplicated"], again["deduplicated"]) == (False, True)
    assert ask(client, "SELECT max(code), count(*) FROM shop.orders") == [[f"{ROWS - 1:05}", ROWS]]
    with open_duckdb(server.base_url, tmp_path, s3=bucket) as db:
        assert db.execute("SELECT count(*) FROM l.shop.orders").fetchone() == (ROWS,)


def test_the_server_does_not_notice_bombs(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_QUERY_TIMEOUT="3")
    client = make_http(server)
    ends: list[int] = []

    def explode(sql: str) -> None:
        answer = httpx.post(f"{server.base_url}/v1/catalog/query", json={"sql": sql}, timeout=120, trust_env=False)
        ends.append(answer.status_code)

    threads = [threading.Thread(target=explode, args=(sql,)) for sql in BOMBS]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert client.get("/health").status_code == 200
        threads[0].join(0.05)

    assert len(ends) == len(BOMBS)
    assert set(ends) <= {400, 408, 413, 503}
    assert ask(client, "SELECT 1 + 1") == [[2]]
