"""A schema as lines of a table: each field with its id, its type in words, and how deep it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 50


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A field.

    Attributes
    ----------
    depth
        0 for a column; deeper for what lies in a struct, a list or a map.
    """

    depth: int
    field_id: int
    name: str
    type_name: str
    is_required: bool
    doc: str


def schema_rows(schema: Mapping[str, Any]) -> list[SchemaRow]:
    """Return all fields of a schema, each before what it holds.

    Parameters
    ----------
    schema
        As metadata has it; not changed. What lies deeper than 50 levels is left out.
    """
    return list(_fields(schema, 0))


def _fields(struct: Mapping[str, Any], depth: int) -> Iterator[SchemaRow]:
    for field in struct.get("fields", ()):
        doc = str(field.get("doc") or "")
        yield from _field(field["id"], field["name"], field["type"], bool(field.get("required")), doc, depth)


def _field(field_id: int, name: str, kind: Any, is_required: bool, doc: str, depth: int) -> Iterator[SchemaRow]:
    yield SchemaRow(depth, field_id, name, kind if isinstance(kind, str) else str(kind.get("type")), is_required, doc)
    if isinstance(kind, str) or depth >= MAX_DEPTH:
        return
    if kind.get("type") == "struct":
        yield from _fields(kind, depth + 1)
    elif kind.get("type") == "list":
        yield from _field(
            kind["element-id"], "element", kind["element"], bool(kind.get("element-required")), "", depth + 1
        )
    elif kind.get("type") == "map":
        yield from _field(kind["key-id"], "key", kind["key"], True, "", depth + 1)
        yield from _field(kind["value-id"], "value", kind["value"], bool(kind.get("value-required")), "", depth + 1)
