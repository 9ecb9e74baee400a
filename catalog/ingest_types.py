"""Types on their way from a file into a table: DuckDB's to Iceberg's, and back for the casts that write them.

What Iceberg has no type for is cast where nothing is lost (unsigned and huge integers to decimals, enums, JSON, bit
strings and numbers without limit to text) and refused with the column's name where something would be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lakehouse_site.errors import Fault, InvalidInput

Json = Any
_SIMPLE: Final = {
    "boolean": "boolean",
    "tinyint": "int",
    "smallint": "int",
    "integer": "int",
    "utinyint": "int",
    "usmallint": "int",
    "uinteger": "long",
    "bigint": "long",
    "ubigint": "decimal(20, 0)",
    "hugeint": "decimal(38, 0)",
    "uhugeint": "decimal(38, 0)",
    "float": "float",
    "double": "double",
    "varchar": "string",
    "enum": "string",
    "bit": "string",
    "bignum": "string",
    "uuid": "uuid",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp",
    "timestamp with time zone": "timestamptz",
    "blob": "binary",
    "sqlnull": "string",
    '"null"': "string",
}
_TO_SQL: Final = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "binary": "BLOB",
}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
OVERRIDES: Final = ", ".join([*_TO_SQL, "decimal(P, S)"])
_INTEGERS = ("int", "long")
_WIDER: Final = {("int", "long"), ("float", "double")}


class Ids:
    """Numbers for fields, one after the other."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        self._next += 1
        return self._next - 1


def iceberg_type(kind: Any, column: str, ids: Ids) -> Json:
    """Return the Iceberg type, as in a schema, of a DuckDB type.

    Parameters
    ----------
    kind
        A ``DuckDBPyType``, or anything with its `id` and `children`.
    column
        The column's name, for the error; of what is nested, the path to it.
    ids
        What nested fields are numbered with.

    Raises
    ------
    InvalidInput
        Iceberg has no type that holds every value of it.
    """
    name = str(kind.id)
    if name == "decimal":
        (_, precision), (_, scale) = kind.children
        return f"decimal({precision}, {scale})"
    if name in ("struct", "list", "array", "map"):
        return _nested_type(name, kind, column, ids)
    if name not in _SIMPLE:
        raise refused(column, f"has the type {kind}, which tables cannot hold. Give it another one, or leave it out.")
    return _SIMPLE[name]


def _nested_type(name: str, kind: Any, column: str, ids: Ids) -> Json:
    if name == "struct":
        fields = [(child, ids.take(), inner) for child, inner in kind.children]
        return {
            "type": "struct",
            "fields": [
                {"id": number, "name": child, "required": False, "type": iceberg_type(inner, f"{column}.{child}", ids)}
                for child, number, inner in fields
            ],
        }
    if name == "map":
        key_id, value_id = ids.take(), ids.take()
        children = dict(kind.children)
        key = iceberg_type(children["key"], f"{column}.key", ids)
        value = iceberg_type(children["value"], f"{column}.value", ids)
        return {
            "type": "map", "key-id": key_id, "key": key, "value-id": value_id, "value-required": False, "value": value
        }  # fmt: skip
    number = ids.take()
    element = iceberg_type(kind.children[0][1], f"{column}.element", ids)
    return {"type": "list", "element-id": number, "element-required": False, "element": element}


def refused(column: str, why: str) -> InvalidInput:
    """Return the error that names a column."""
    return InvalidInput([Fault("/file", "column", f"The column {column!r} {why}")])


def check_override(column: str, kind: object) -> str:
    """Return the type somebody wants a column to have, if it is one.

    Raises
    ------
    InvalidInput
        It is not the name of a type that is not nested.
    """
    text = kind.strip().lower() if isinstance(kind, str) else ""
    decimal = _DECIMAL.fullmatch(text)
    if decimal and 1 <= int(decimal[1]) <= 38 and int(decimal[2]) <= int(decimal[1]):
        return f"decimal({decimal[1]}, {decimal[2]})"
    if text not in _TO_SQL:
        raise InvalidInput.at("/types", "choice", f"The type of {column!r} is {kind!r}; expected one of {OVERRIDES}.")
    return text


def sql_type(kind: Json) -> str:
    """Return the DuckDB type that a column of an Iceberg type is cast to before it is written.

    Raises
    ------
    KeyError
        DuckDB does not write this type.
    """
    if isinstance(kind, str):
        decimal = _DECIMAL.fullmatch(kind)
        return f"DECIMAL({decimal[1]}, {decimal[2]})" if decimal else _TO_SQL[kind]
    if kind["type"] == "list":
        return f"{sql_type(kind['element'])}[]"
    if kind["type"] == "map":
        return f"MAP({sql_type(kind['key'])}, {sql_type(kind['value'])})"
    inner = ", ".join(f"{quoted(field['name'])} {sql_type(field['type'])}" for field in kind["fields"])
    return f"STRUCT({inner})"


def field_ids(fields: Sequence[Mapping[str, Json]]) -> str:
    """Return what DuckDB's ``FIELD_IDS`` takes, for the fields of a schema or struct."""
    return "{" + ", ".join(f"{quoted(field['name'])}: {_ids_of(field['id'], field['type'])}" for field in fields) + "}"


def _ids_of(number: int, kind: Json) -> str:
    if isinstance(kind, str):
        return str(number)
    own = f"__duckdb_field_id: {number}"
    if kind["type"] == "list":
        return f"{{{own}, element: {_ids_of(kind['element-id'], kind['element'])}}}"
    if kind["type"] == "map":
        key, value = _ids_of(kind["key-id"], kind["key"]), _ids_of(kind["value-id"], kind["value"])
        return f"{{{own}, key: {key}, value: {value}}}"
    return f"{{{own}, {field_ids(kind['fields'])[1:-1]}}}"


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def fits(found: Json, wanted: Json, *, is_text: bool) -> bool:
    """Return whether every value of one type goes into another unchanged, or fails to.

    Parameters
    ----------
    found, wanted
        The file's type and the table's.
    is_text
        The file is text: its integers have no width, and one that is too large fails.
    """
    if isinstance(found, str) and isinstance(wanted, str):
        decimals = _DECIMAL.fullmatch(found), _DECIMAL.fullmatch(wanted)
        if decimals[0] and decimals[1]:
            (p, s), (q, t) = (map(int, match.groups()) for match in decimals if match)
            return t >= s and q - t >= p - s
        if found == wanted or (found, wanted) in _WIDER:
            return True
        return is_text and (wanted == "string" or (found in _INTEGERS and wanted in (*_INTEGERS, "double", "float")))
    if isinstance(found, str) or isinstance(wanted, str) or found["type"] != wanted["type"]:
        return False
    if found["type"] == "list":
        return fits(found["element"], wanted["element"], is_text=is_text)
    if found["type"] == "map":
        return all(fits(found[part], wanted[part], is_text=is_text) for part in ("key", "value"))
    known = {field["name"]: field["type"] for field in wanted["fields"]}
    return all(
        field["name"] in known and fits(field["type"], known[field["name"]], is_text=is_text)
        for field in found["fields"]
    )


def may_widen(wanted: Json, found: Json) -> bool:
    """Return whether Iceberg lets a column of the first type become one of the second."""
    if not isinstance(wanted, str) or not isinstance(found, str):
        return False
    decimals = _DECIMAL.fullmatch(wanted), _DECIMAL.fullmatch(found)
    if decimals[0] and decimals[1]:
        return decimals[0][2] == decimals[1][2] and int(decimals[1][1]) > int(decimals[0][1])
    return (wanted, found) in _WIDER
