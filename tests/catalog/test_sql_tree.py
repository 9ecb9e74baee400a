from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from catalog.sql_tree import FUNCTIONS, TABLE_FUNCTIONS, SqlRefused, TableName, check_text, check_tree
from tests.catalog.hostile_sql import REFUSED


@pytest.fixture(scope="module")
def parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def tree_of(parser: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = parser.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert row is not None
    return json.loads(row[0])


def checked(parser: duckdb.DuckDBPyConnection, sql: str) -> tuple[TableName, ...]:
    check_text(sql)
    return check_tree(tree_of(parser, sql))


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: ascii(sql[:50]))
def test_a_hostile_statement_is_refused(parser: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(SqlRefused):
        checked(parser, sql)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", []),
        ("FROM ns.t", [("", "ns", "t")]),
        ('SELECT * FROM "a.b"."C d"', [("", "a.b", "C d")]),
        ("SELECT * FROM a.b.c x WHERE x.i IN (SELECT j FROM ns.u)", [("a", "b", "c"), ("", "ns", "u")]),
        ("SELECT * FROM ns.t a JOIN ns.t b USING (i)", [("", "ns", "t")]),
        ("WITH t AS (SELECT * FROM ns.u) SELECT * FROM T", [("", "ns", "u")]),
        ("WITH RECURSIVE t AS (SELECT 1 a UNION ALL SELECT a + 1 FROM t WHERE a < 3) SELECT * FROM t", []),
        ("SELECT (SELECT max(i) FROM ns.t) ORDER BY 1 LIMIT 3", [("", "ns", "t")]),
        ("SELECT a, count(DISTINCT b) FILTER (WHERE b > 1) FROM ns.t GROUP BY ALL HAVING true", [("", "ns", "t")]),
        ("SELECT row_number() OVER (PARTITION BY a ORDER BY b) FROM ns.t QUALIFY 1 = 1", [("", "ns", "t")]),
        ("SELECT list_transform([1, 2], lambda x: x + 1), {'type': 'COPY_NODE'}, map {'a': 1}, [i for i in [1]]", []),
        ("SELECT * FROM range(3) a, unnest([1, 2]) b, generate_series(1, 2) c", []),
        ("SELECT a::DATE, b LIKE 'x', c BETWEEN 1 AND 2, d IS NULL, COLUMNS('x') FROM ns.t", [("", "ns", "t")]),
        ("SELECT 1 UNION ALL BY NAME SELECT 2 EXCEPT SELECT 3", []),
    ],
)  # fmt: skip
def test_a_query_is_taken_and_its_tables_are_named(
    parser: duckdb.DuckDBPyConnection, sql: str, tables: list[tuple[str, str, str]]
) -> None:
    assert checked(parser, sql) == tuple(TableName(*table) for table in tables)


def test_a_part_that_is_not_known_is_refused_wherever_it_stands(parser: duckdb.DuckDBPyConnection) -> None:
    """As in DuckDB 2.0, whose common table expressions can be other statements than SELECT."""
    tree = tree_of(parser, "WITH x AS (SELECT 1) SELECT * FROM x")
    entry = tree["statements"][0]["node"]["cte_map"]["map"][0]
    entry["value"]["query"]["node"] = {"type": "COPY_NODE", "path": "x"}

    with pytest.raises(SqlRefused, match="COPY_NODE"):
        check_tree(tree)


def test_a_refusal_says_where(parser: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(SqlRefused) as refused:
        checked(parser, "SELECT 1, getenv('HOME')")

    assert refused.value.position == 10
    assert "getenv" in refused.value.reason


def test_a_very_deep_tree_is_walked(parser: duckdb.DuckDBPyConnection) -> None:
    tree: Any = {"type": "BASE_TABLE", "catalog_name": "", "schema_name": "ns", "table_name": "t"}
    for _ in range(50_000):
        tree = {"type": "SUBQUERY", "subquery": {"node": tree}}

    assert check_tree({"error": False, "statements": [tree]}) == (TableName("", "ns", "t"),)


def test_every_function_on_the_list_is_one_of_duckdb(parser: duckdb.DuckDBPyConnection) -> None:
    known = {row[0] for row in parser.execute("SELECT function_name FROM duckdb_functions()").fetchall()}

    assert known >= FUNCTIONS - {"unnest"}
    assert known >= TABLE_FUNCTIONS


@pytest.mark.parametrize(
    "word",
    ["read_", "getenv", "setting", "pragma", "duckdb_", "sleep", "glob", "secret", "query", "execute", "nextval"],
)
def test_no_function_on_the_list_reads_or_tells(word: str) -> None:
    assert [name for name in FUNCTIONS if word in name] == []
