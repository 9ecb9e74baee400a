from __future__ import annotations

import threading
from typing import Any

import orjson
import pyarrow as pa
import pytest
from django.db import connection
from django.test import override_settings
from pyiceberg.types import LongType

from catalog import query
from catalog.callers import SYSTEM, Caller
from catalog.errors import NotGranted, QueryTimedOut
from catalog.models import Grant, QueryRun, Warehouse
from catalog.own_catalog import OwnCatalog
from catalog.query import run_query
from catalog.query_answers import Pieces
from lakehouse_site.errors import InvalidInput, TooLarge, Unavailable
from tests.catalog.hostile_sql import BOMBS, DEEP


def ask(sql: str, *, limit: int = 100, caller: Caller = SYSTEM) -> dict[str, Any]:
    answer = run_query(sql=sql, limit=limit, answer_format="json", caller=caller)
    found: dict[str, Any] = orjson.loads(b"".join(Pieces(answer, "json")))
    return found


def make_table(warehouse: Warehouse, name: str, rows: pa.Table) -> Any:
    table = OwnCatalog(warehouse, SYSTEM).create_table(("ns", name), rows.schema)
    table.append(rows)
    return table


def test_a_query_reads_tables_and_is_noted(warehouse: Warehouse) -> None:
    make_table(warehouse, "Odd name", pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]}))

    found = ask(
        'SELECT t.b, u.a FROM ns."Odd name" t JOIN ns."Odd name" u ON t.a = u.a WHERE u.a > 1 ORDER BY 2', limit=1
    )

    assert [column["name"] for column in found["columns"]] == ["b", "a"]
    assert (found["rows"], found["truncated"], found["tables"]) == ([[None, 2]], True, ["ns.Odd name"])
    run = QueryRun.objects.get(pk=found["query_id"])
    assert (run.status, run.rows, run.principal, run.tables) == ("done", 1, "system", ["ns.Odd name"])


def test_renamed_widened_and_nested_columns_are_read_by_their_ids(warehouse: Warehouse) -> None:
    """The files are as they were written; the schema is not."""
    rows = pa.table(
        {"a": pa.array([1, 2], pa.int32()), "b": ["x", "y"], "s": [{"k": [1]}, None], "gone": [True, False]}
    )
    table = make_table(warehouse, "t", rows)
    with table.update_schema() as update:
        update.delete_column("gone")
        update.rename_column("b", "gone")
        update.rename_column("s.k", "list")
        update.update_column("a", field_type=LongType())

    found = ask("SELECT a, gone, s FROM ns.t t1 WHERE EXISTS (SELECT 1 FROM ns.t t2 WHERE t2.a = t1.a) ORDER BY a")

    assert found["rows"] == [[1, "x", {"list": [1]}], [2, "y", None]]
    assert found["columns"][0]["type"] == "BIGINT"


def test_a_table_without_rows_has_columns(warehouse: Warehouse) -> None:
    OwnCatalog(warehouse, SYSTEM).create_table(("ns", "empty"), pa.schema([("a", pa.int64())]))

    assert ask("SELECT count(*), max(a) FROM ns.empty")["rows"] == [[0, None]]


def test_every_type_is_valid_json(db: None) -> None:
    """Nothing is lost silently: what JSON cannot hold is text or null."""
    found = ask(
        "SELECT 1.50::DECIMAL(5, 2), 'nan'::DOUBLE, '-inf'::FLOAT, 170141183460469231731687303715884105727::HUGEINT,"
        " DATE '2020-01-02', TIMESTAMP '2020-01-02 03:04:05.5', TIMESTAMPTZ '2020-01-02 03:04:05+02',"
        " TIMESTAMP_NS '2020-01-02 03:04:05.123456789', 'infinity'::DATE, '-infinity'::TIMESTAMP, DATE '12345-01-01',"
        " '\\x00\\xFF'::BLOB, [1, NULL], {'a': {'b': 'nan'::DOUBLE}}, MAP {1: 'x'}, INTERVAL 3 DAY,"
        " '6b1f0b6c-7f0e-4c0a-9d3f-8c8f0a1b2c3d'::UUID, 'e'::ENUM('e'), 9223372036854775807, TIME '03:04:05', true"
    )

    assert found["rows"][0] == [
        "1.50", None, None, "170141183460469231731687303715884105727", "2020-01-02", "2020-01-02T03:04:05.500000",
        "2020-01-02T01:04:05+00:00", "2020-01-02T03:04:05.123456789", "infinity", "-infinity", "12345-01-01", "AP8=",
        [1, None], {"a": {"b": None}}, [[1, "x"]], "P0M3DT0.000000S", "6b1f0b6c-7f0e-4c0a-9d3f-8c8f0a1b2c3d", "e",
        9223372036854775807, "03:04:05.000000", True,
    ]  # fmt: skip


@pytest.mark.parametrize("answer_format", ["csv", "arrow"])
def test_rows_come_as_csv_and_arrow(db: None, answer_format: str) -> None:
    sql = "SELECT i, [i] AS l, CASE WHEN i > 0 THEN 'a,\"b' END AS t FROM range(3) r(i)"
    answer = run_query(sql=sql, limit=2, answer_format=answer_format, caller=SYSTEM)
    sent = b"".join(Pieces(answer, answer_format))

    assert (answer.rows, answer.is_cut) == (2, True)
    if answer_format == "csv":
        assert sent.decode() == 'i,l,t\n0,[0],\n1,[1],"a,""b"\n'
    else:
        rows = pa.ipc.open_stream(sent).read_all().to_pylist()
        assert rows == [{"i": 0, "l": [0], "t": None}, {"i": 1, "l": [1], "t": 'a,"b'}]


def test_what_duckdb_says_is_answered_and_noted(db: None) -> None:
    with pytest.raises(InvalidInput, match=r"column.*nope.*not found"):
        ask("SELECT nope FROM range(3)")

    run = QueryRun.objects.get()
    assert (run.status, "nope" in run.detail) == ("failed", True)


def test_a_table_that_is_not_there_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(InvalidInput, match=r"There is no table ns\.nope"):
        ask("SELECT * FROM ns.nope")

    assert QueryRun.objects.get().status == "refused"


def test_a_query_needs_a_grant_for_every_table(warehouse: Warehouse) -> None:
    make_table(warehouse, "t", pa.table({"a": [1]}))
    Grant.objects.create(principal="ada", warehouse=warehouse, path="other", privilege="read")

    with pytest.raises(NotGranted):
        ask("SELECT 1 FROM ns.t", caller=Caller("ada"))

    Grant.objects.create(principal="ada", warehouse=warehouse, path="ns", privilege="read")
    assert ask("SELECT a FROM ns.t", caller=Caller("ada"))["rows"] == [[1]]


def test_a_grant_reaches_a_table_whose_namespace_is_written_with_a_dot(warehouse: Warehouse) -> None:
    catalog = OwnCatalog(warehouse, SYSTEM)
    catalog.create_namespace(("prod", "runs"))
    catalog.create_table(("prod", "runs", "t"), pa.schema([("a", pa.int64())]))
    Grant.objects.create(principal="ada", warehouse=warehouse, path="prod\x1fruns", privilege="read")

    assert ask('SELECT a FROM "prod.runs".t', caller=Caller("ada"))["rows"] == []
    with pytest.raises(NotGranted):
        ask('SELECT a FROM "prod.other".t', caller=Caller("ada"))


def test_an_answer_over_the_limit_of_bytes_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MAX_ANSWER_BYTES", 10_000)

    with pytest.raises(TooLarge, match="10000 bytes"):
        ask("SELECT repeat('x', 1000) FROM range(100)")

    assert QueryRun.objects.get().status == "too_large"


def test_more_queries_than_may_run_are_told_to_come_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "WAIT_SECONDS", 0.05)
    slots = threading.BoundedSemaphore(1)
    monkeypatch.setattr(query, "_slots", lambda _: slots)

    with slots, pytest.raises(Unavailable) as refused:
        ask("SELECT 1")

    assert refused.value.retry_after_seconds >= 1
    assert ask("SELECT 1")["rows"] == [[1]]


@pytest.mark.slow
@override_settings(LAKEHOUSE_QUERY_TIMEOUT=6, LAKEHOUSE_QUERY_MEMORY_MB=128, LAKEHOUSE_QUERY_WORKERS=8)
def test_bombs_end_within_their_limits(transactional_db: None) -> None:
    """All at once: each is stopped by its own limits, and a harmless query between them is answered."""
    ends: dict[str, str] = {}

    def throw(sql: str) -> None:
        try:
            ask(sql)
            ends[sql] = "answered"
        except (TooLarge, QueryTimedOut, InvalidInput) as error:
            ends[sql] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=throw, args=(sql,)) for sql in BOMBS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert set(ends) == set(BOMBS)
    assert set(ends.values()) <= {"TooLarge", "QueryTimedOut"}
    assert ask("SELECT 1")["rows"] == [[1]]


@pytest.mark.slow
@override_settings(LAKEHOUSE_QUERY_TIMEOUT=20)
@pytest.mark.parametrize("sql", DEEP, ids=range(len(DEEP)))
def test_a_deep_statement_ends_its_worker_at_the_most(db: None, sql: str) -> None:
    try:
        answer = ask(sql)
    except (InvalidInput, TooLarge, QueryTimedOut):
        return
    assert answer["row_count"] == 1
