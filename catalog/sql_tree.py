"""What a query may say, decided on its parsed tree: one SELECT made of parts that are listed here, and of nothing else.

DuckDB's `json_serialize_sql` gives the tree. What is not known is refused, so that a later DuckDB which can say more,
as 2.0 can in `WITH x AS (COPY … TO …) SELECT …`, does not let more through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAX_SQL_CHARACTERS: Final = 100_000
MAX_TABLES: Final = 32

_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_REFERENCES = {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY"}
_MODIFIERS = {
    "ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER", "ASCENDING", "DESCENDING",
    "ORDER_DEFAULT",
}  # fmt: skip
_EXPRESSIONS = {
    "OPERATOR_CAST", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_UNPACK", "OPERATOR_NULLIF",
    "OPERATOR_COALESCE", "OPERATOR_TRY", "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN", "COMPARE_GREATERTHAN",
    "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHANOREQUALTO", "COMPARE_IN", "COMPARE_NOT_IN", "COMPARE_BETWEEN",
    "COMPARE_NOT_BETWEEN", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM", "CONJUNCTION_AND", "CONJUNCTION_OR",
    "VALUE_CONSTANT", "FUNCTION", "CASE_EXPR", "ARRAY_EXTRACT", "ARRAY_SLICE", "ARRAY_CONSTRUCTOR", "STRUCT_EXTRACT",
    "ARROW", "SUBQUERY", "STAR", "TABLE_STAR", "COLUMN_REF", "LAMBDA", "LAMBDA_REF", "POSITIONAL_REFERENCE", "COLLATE",
    "GROUPING_FUNCTION", "WINDOW_AGGREGATE", "WINDOW_RANK", "WINDOW_RANK_DENSE", "WINDOW_NTILE", "WINDOW_PERCENT_RANK",
    "WINDOW_CUME_DIST", "WINDOW_ROW_NUMBER", "WINDOW_FIRST_VALUE", "WINDOW_LAST_VALUE", "WINDOW_LEAD", "WINDOW_LAG",
    "WINDOW_NTH_VALUE", "WINDOW_FILL",
}  # fmt: skip
_TYPES = {
    "DECIMAL_TYPE_INFO", "STRING_TYPE_INFO", "LIST_TYPE_INFO", "STRUCT_TYPE_INFO", "ARRAY_TYPE_INFO",
    "UNBOUND_TYPE_INFO",
}  # fmt: skip
ALLOWED_TYPES: Final = frozenset(_NODES | _REFERENCES | _MODIFIERS | _EXPRESSIONS | _TYPES)
TABLE_FUNCTIONS: Final = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
FUNCTIONS: Final = frozenset((Path(__file__).parent / "sql_functions.txt").read_text(encoding="ascii").split())
"""Scalar functions, aggregates and operators of DuckDB 1.5, without those that tell of the process or its settings."""
_SCHEMAS_OF_FUNCTIONS = {"", "main"}
_RESERVED = {"information_schema", "pg_catalog", "temp", "system", "memory"}
_NO_PLACE = 2**64 - 1


class SqlRefused(Exception):
    """The statement says something a query may not say; `position` counts characters from 0 where it is known."""

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table as a statement names it; the catalog and the schema are empty where they were left out."""

    catalog: str
    schema: str
    table: str


def check_text(sql: str) -> None:
    """Refuse a text that should not even be parsed.

    Raises
    ------
    SqlRefused
        It is too long, or holds a character no statement needs.
    """
    if len(sql) > MAX_SQL_CHARACTERS:
        raise SqlRefused(f"The statement has {len(sql)} characters; at most {MAX_SQL_CHARACTERS} are taken.")
    if not sql.strip():
        raise SqlRefused("There is no statement.")
    for position, character in enumerate(sql):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise SqlRefused("The statement holds a character that is not text.", position)


def check_tree(tree: Mapping[str, Any]) -> tuple[TableName, ...]:
    """Return the tables of the catalog that a statement reads, each once, in their order.

    Parameters
    ----------
    tree
        What DuckDB's ``json_serialize_sql`` says of the text. Not modified.

    Raises
    ------
    SqlRefused
        It is not one SELECT, or has a part that is not listed in this module.

    Notes
    -----
    Linear in the size of the tree, without recursion. A table without a namespace has to be a common table
    expression of the statement: nothing else of that name is known where the statement runs.
    """
    if tree.get("error", True):
        raise SqlRefused(*_parser_fault(tree))
    statements = tree["statements"]
    if len(statements) != 1:
        raise SqlRefused(f"Expected one statement, found {len(statements)}.")
    nodes = list(_walk(statements[0]))
    own = {name.lower() for node in nodes for name in _names_of_ctes(node)}
    found: dict[TableName, None] = {}
    for node in nodes:
        _check_node(node)
        if node.get("type") == "BASE_TABLE":
            name = _table_name(node, own)
            if name is not None:
                found[name] = None
    if len(found) > MAX_TABLES:
        raise SqlRefused(f"The statement reads {len(found)} tables; at most {MAX_TABLES} are taken.")
    return tuple(found)


def _parser_fault(tree: Mapping[str, Any]) -> tuple[str, int | None]:
    message = str(tree.get("error_message", "The statement was not understood."))
    if tree.get("error_type") == "not implemented":
        return "Only a SELECT is taken here.", None
    position = str(tree.get("position", ""))
    return message, int(position) if position.isdecimal() else None


def _walk(root: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: a hostile tree is deep."""
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("type") == "TABLE_FUNCTION":
                waiting.append(_checked_table_function(value))
            yield value
            waiting.extend(child for key, child in reversed(value.items()) if not _is_done(value, key))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _is_done(node: Mapping[str, Any], key: str) -> bool:
    return key == "function" and node.get("type") == "TABLE_FUNCTION"


def _checked_table_function(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left to look at of a function that gives a table: all but its name."""
    function: dict[str, Any] = node["function"]
    name = str(function.get("function_name", ""))
    # As a subquery of one row, `FROM x` is a table function in some spellings; only the listed ones give tables.
    if function.get("type") != "FUNCTION" or name.lower() not in TABLE_FUNCTIONS or not _is_plain(function):
        raise SqlRefused(f"The table function {name!r} is not available in queries.", _place(function))
    return {key: child for key, child in function.items() if key not in ("function_name", "type", "class")}


def _check_node(node: Mapping[str, Any]) -> None:
    kind = node.get("type")
    if isinstance(kind, str) and kind not in ALLOWED_TYPES:
        raise SqlRefused(f"{_word(kind)} is not available in queries.", _place(node))
    name = node.get("function_name")
    if isinstance(name, str) and (name.lower() not in FUNCTIONS or not _is_plain(node)):
        raise SqlRefused(f"The function {name!r} is not available in queries.", _place(node))
    if node.get("at_clause") is not None:
        raise SqlRefused("Time travel is not available in queries; the table's current snapshot is read.", _place(node))


def _is_plain(function: Mapping[str, Any]) -> bool:
    return function.get("schema", "") in _SCHEMAS_OF_FUNCTIONS and function.get("catalog", "") == ""


def _names_of_ctes(node: Mapping[str, Any]) -> Iterator[str]:
    cte_map = node.get("cte_map")
    if isinstance(cte_map, dict):
        yield from (str(entry["key"]) for entry in cte_map.get("map", []))
    if node.get("type") in ("CTE_NODE", "RECURSIVE_CTE_NODE"):
        yield str(node.get("cte_name", node.get("ctename", "")))


def _table_name(node: Mapping[str, Any], own: set[str]) -> TableName | None:
    name = TableName(str(node["catalog_name"]), str(node["schema_name"]), str(node["table_name"]))
    if name.schema == "" and name.catalog == "":
        if name.table.lower() in own and not name.table.lower().startswith(("duckdb_", "pragma_", "sqlite_", "pg_")):
            return None
        raise SqlRefused(f"{name.table!r} is no table: write namespace.table.", _place(node))
    if {name.catalog.lower(), name.schema.lower()} & _RESERVED:
        raise SqlRefused(f"{name.schema}.{name.table} is not available in queries.", _place(node))
    return name


def _place(node: Mapping[str, Any]) -> int | None:
    place = node.get("query_location")
    return place if isinstance(place, int) and place != _NO_PLACE else None


def _word(kind: str) -> str:
    known = {"SHOW_REF": "DESCRIBE, SHOW or SUMMARIZE", "VALUE_PARAMETER": "A parameter", "PIVOT": "PIVOT"}
    return known.get(kind, kind)
