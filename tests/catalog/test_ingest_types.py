from __future__ import annotations

from typing import Any

import duckdb
import pytest

from catalog.ingest_plan import plan_append
from catalog.ingest_requests import IngestRequest, TablePlace, object_key, parse_request, parse_table
from catalog.ingest_types import Ids, check_override, field_ids, fits, iceberg_type, may_widen, sql_type
from lakehouse_site.errors import InvalidInput


def type_of(sql: str) -> Any:
    return iceberg_type(duckdb.sql(f"SELECT CAST(NULL AS {sql}) AS c").types[0], "c", Ids(10))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UTINYINT", "int"), ("UINTEGER", "long"), ("UBIGINT", "decimal(20, 0)"), ("HUGEINT", "decimal(38, 0)"),
        ("DECIMAL(7, 2)", "decimal(7, 2)"), ("JSON", "string"), ("BIT", "string"), ("BIGNUM", "string"),
        ("ENUM('a')", "string"), ("UUID", "uuid"), ("TIMESTAMP_MS", "timestamp"), ("TIMESTAMPTZ", "timestamptz"),
        ("BLOB", "binary"),
    ],
)  # fmt: skip
def test_a_type_iceberg_lacks_becomes_one_that_holds_all_of_it(sql: str, expected: str) -> None:
    assert type_of(sql) == expected


@pytest.mark.parametrize("sql", ["INTERVAL", "TIMETZ", "TIMESTAMP_NS", "UNION(a INT)", "STRUCT(x INTERVAL)"])
def test_a_type_that_would_lose_something_is_refused_with_its_column(sql: str) -> None:
    with pytest.raises(InvalidInput, match=r"column 'c"):
        type_of(sql)


def test_nested_types_go_there_and_back() -> None:
    kind = type_of('STRUCT(a INTEGER[], "b c" MAP(VARCHAR, STRUCT(d DATE)))')
    fields = [{"id": 1, "name": 'q"', "type": kind}]

    assert sql_type(kind) == 'STRUCT("a" INTEGER[], "b c" MAP(VARCHAR, STRUCT("d" DATE)))'
    assert field_ids(fields) == (
        '{"q""": {__duckdb_field_id: 1, "a": {__duckdb_field_id: 10, element: 12}, '
        '"b c": {__duckdb_field_id: 11, key: 13, value: {__duckdb_field_id: 14, "d": 15}}}}'
    )


@pytest.mark.parametrize(
    ("found", "wanted", "is_text", "expected"),
    [
        ("int", "long", False, True), ("long", "int", False, False), ("long", "int", True, True),
        ("float", "double", False, True), ("double", "float", False, False), ("date", "string", False, False),
        ("date", "string", True, True), ("decimal(5, 2)", "decimal(7, 2)", False, True),
        ("decimal(5, 2)", "decimal(6, 4)", False, False), ("string", "int", True, False),
    ],
)  # fmt: skip
def test_only_what_loses_nothing_fits(found: str, wanted: str, is_text: bool, expected: bool) -> None:
    assert fits(found, wanted, is_text=is_text) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("int", "long", True), ("long", "int", False), ("decimal(5, 2)", "decimal(7, 2)", True), ("int", "double", False)],
)
def test_columns_are_widened_only_as_iceberg_allows(before: str, after: str, expected: bool) -> None:
    assert may_widen(before, after) is expected


def test_a_column_that_is_required_and_missing_is_named() -> None:
    fields = [{"id": 1, "name": "a", "type": "int", "required": True}, {"id": 2, "name": "b", "type": "int"}]

    with pytest.raises(InvalidInput, match="'a' is required"):
        plan_append([{"name": "b", "type": "int"}], fields, types={}, is_text=False, may_evolve=True)


@pytest.mark.parametrize("kind", ["text", "decimal(39, 0)", "decimal(3, 4)", "list", 3, None, "int; DROP"])
def test_a_type_that_is_none_is_refused(kind: object) -> None:
    with pytest.raises(InvalidInput, match="expected one of"):
        check_override("c", kind)


@pytest.mark.parametrize(
    ("text", "levels", "name"),
    [("a.b", ("a",), "b"), ("a.b.c", ("a", "b"), "c"), ('"a.b"."c""d"', ("a.b",), 'c"d'), ("a/b.c d", ("a/b",), "c d")],
)
def test_names_of_tables_are_read(text: str, levels: tuple[str, ...], name: str) -> None:
    assert parse_table(text) == TablePlace(levels, name)


@pytest.mark.parametrize("text", ["", "t", ".t", "a.", "a..t", '"a.t', 'a."t"x', "a.\x00"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_table(text)


def test_every_wrong_field_of_a_request_is_named() -> None:
    body = {"table": 3, "mode": "replace", "delimiter": "", "types": {"a": "text"}, "header": "yes"}

    with pytest.raises(InvalidInput) as refused:
        parse_request(body, file_name="rows.xlsx")

    places = {fault.pointer for fault in refused.value.faults}
    assert places == {"/table", "/mode", "/delimiter", "/types", "/header", "/format"}


def test_the_name_of_a_file_says_what_it_is() -> None:
    request = parse_request({"table": "a.t"}, file_name="rows.JSONL.gz")

    assert request == IngestRequest(TablePlace(("a",), "t"), "create", "jsonl", "gzip")


@pytest.mark.parametrize(
    "key", ["secret_key", "imports/../secret", "imports//x", "/imports/x", "imports/a\\b", "imports"]
)
def test_only_objects_of_the_import_folder_are_read(key: str) -> None:
    with pytest.raises(InvalidInput):
        object_key({"table": "a.t", "object": key})
