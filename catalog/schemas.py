"""Schemas of tables and views: checked, compared, numbered.

References
----------
Apache Iceberg table specification, "Schemas and Data Types", and Appendix C for their JSON.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from catalog.errors import BadCatalogRequest
from catalog.json_places import Place

# Ids above are the format's own: of metadata columns such as `_file`.
MAX_FIELD_ID: Final = 2_147_483_447
MAX_FIELDS: Final = 100_000
MAX_DECIMAL_PRECISION: Final = 38
NESTED: Final = ("struct", "list", "map")
_DECIMAL: Final = re.compile(r"decimal\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
_FIXED: Final = re.compile(r"fixed\[\s*(\d{1,10})\s*\]")
_GEO: Final = re.compile(r"(geometry|geography)\([^()]{0,200}\)")
_SINCE_V3: Final = frozenset({"timestamp_ns", "timestamptz_ns", "unknown", "variant", "geometry", "geography"})
_NUMBERS: Final = frozenset({"int", "long", "float", "double"})
_MOMENTS: Final = frozenset({"date", "time", "timestamp", "timestamptz"})
_PLAIN: Final = _SINCE_V3 | _NUMBERS | _MOMENTS | {"boolean", "string", "uuid", "binary"}


@dataclass(frozen=True, slots=True)
class Column:
    """One field, at any level.

    Attributes
    ----------
    name
        With the names of all around it, joined by dots.
    type_name
        `struct`, `list`, `map`, or the primitive as it is written.
    can_identify
        It is a required primitive, and everything around it is a required struct.
    """

    field_id: int
    name: str
    type_name: str
    is_required: bool
    can_identify: bool
    has_initial_default: bool = False


@dataclass(frozen=True, slots=True)
class SchemaIndex:
    """The fields of a schema by id and by full name."""

    by_id: dict[int, Column] = field(default_factory=dict)
    id_of_name: dict[str, int] = field(default_factory=dict)

    @property
    def highest_id(self) -> int:
        """The highest field id, 0 when there is no field."""
        return max(self.by_id, default=0)

    def add(self, column: Column, pointer: str) -> None:
        """Take a field; its id and name must be new."""
        other = self.by_id.get(column.field_id)
        if other is not None:
            detail = f"Invalid schema: multiple fields for id {column.field_id}: {other.name} and {column.name}"
            raise BadCatalogRequest(detail, pointer=pointer)
        if column.name in self.id_of_name:
            ids = f"{self.id_of_name[column.name]} and {column.field_id}"
            raise BadCatalogRequest(f"Invalid schema: multiple fields for name {column.name}: {ids}", pointer=pointer)
        if len(self.by_id) >= MAX_FIELDS:
            raise BadCatalogRequest(f"Invalid schema: more than {MAX_FIELDS} fields", pointer=pointer)
        self.by_id[column.field_id] = column
        self.id_of_name[column.name] = column.field_id


def base_type(type_name: str) -> str:
    """Return a primitive without its parameters: ``decimal(9,2)`` is a ``decimal``."""
    return re.split(r"[\[(]", type_name, maxsplit=1)[0].lower()


def index_schema(schema: object, pointer: str) -> SchemaIndex:
    """Check a schema and return its fields.

    Parameters
    ----------
    schema
        Its JSON, nested no deeper than `json_places.MAX_DEPTH`; not changed.
    pointer
        Its place in the body.

    Raises
    ------
    BadCatalogRequest
        Naming the place: something is missing or of a wrong type, a type is unknown, a name or an id stands twice, an
        identifier field cannot be one.
    """
    place = Place(schema, pointer)
    if place.has("type") and place.text("type") != "struct":
        raise place.fault("type", f"Cannot parse schema: its type is not struct but {place.text('type')}")
    place.items("fields")
    place.optional_integer("schema-id", 0, MAX_FIELD_ID)
    index = SchemaIndex()
    _index_struct(index, place, "", True)
    if place.has("identifier-field-ids"):
        for i, field_id in enumerate(place.integers("identifier-field-ids", 0, MAX_FIELD_ID)):
            _check_identifier(index, field_id, f"{place.at('identifier-field-ids')}/{i}")
    return index


def _index_struct(index: SchemaIndex, struct: Place, prefix: str, can_identify: bool) -> None:
    for one in struct.places("fields"):
        field_id = one.integer("id", 0, MAX_FIELD_ID)
        name = prefix + one.text("name")
        is_required = one.boolean("required")
        one.optional_text("doc")
        has_default = one.has("initial-default")
        can = can_identify and is_required
        _index_type(index, one, "type", (field_id, name, is_required, can, has_default))


def _index_type(index: SchemaIndex, around: Place, key: str, facts: tuple[int, str, bool, bool, bool]) -> None:
    field_id, name, is_required, can_identify, has_default = facts
    value = around.required(key, "a type")
    inner = None if type(value) is str else Place(value, around.at(key))
    type_name = value if inner is None else inner.text("type")
    if (inner is None and not is_primitive(type_name)) or (inner is not None and type_name not in NESTED):
        raise around.fault(key, f"Cannot parse type string to primitive: {type_name[:200]}")
    can = can_identify and inner is None
    index.add(Column(field_id, name, type_name, is_required, can, has_default), around.at(key))
    if inner is None:
        return
    if type_name == "struct":
        inner.items("fields")
        _index_struct(index, inner, f"{name}.", can_identify)
    elif type_name == "list":
        is_element_required = inner.boolean("element-required")
        element_id = inner.integer("element-id", 0, MAX_FIELD_ID)
        _index_type(index, inner, "element", (element_id, f"{name}.element", is_element_required, False, False))
    else:
        key_id, value_id = (inner.integer(f"{part}-id", 0, MAX_FIELD_ID) for part in ("key", "value"))
        is_value_required = inner.boolean("value-required")
        _index_type(index, inner, "key", (key_id, f"{name}.key", True, False, False))
        _index_type(index, inner, "value", (value_id, f"{name}.value", is_value_required, False, False))


def is_primitive(type_name: str) -> bool:
    """Return whether a text names a primitive type of any format version."""
    lower = type_name.lower()
    if lower in _PLAIN or _FIXED.fullmatch(lower) or _GEO.fullmatch(lower):
        return True
    decimal = _DECIMAL.fullmatch(lower)
    return decimal is not None and int(decimal[2]) <= int(decimal[1]) <= MAX_DECIMAL_PRECISION


def _check_identifier(index: SchemaIndex, field_id: int, pointer: str) -> None:
    column = index.by_id.get(field_id)
    if column is None:
        detail = f"Cannot add fieldId {field_id} as an identifier field: field does not exist"
        raise BadCatalogRequest(detail, pointer=pointer)
    why = None
    if column.type_name in NESTED:
        why = "not a primitive type field"
    elif not column.is_required:
        why = "not a required field"
    elif base_type(column.type_name) in ("float", "double"):
        why = "must not be float or double field"
    elif not column.can_identify:
        why = "must not be nested in a list, a map or an optional struct"
    if why:
        raise BadCatalogRequest(f"Cannot add field {column.name} as an identifier field: {why}", pointer=pointer)


def check_version(index: SchemaIndex, format_version: int, pointer: str) -> None:
    """Refuse types and defaults that come with a later format version than the table's."""
    if format_version >= 3:
        return
    problems = [
        f"Invalid type for {column.name}: {column.type_name} is not supported until v3"
        for column in index.by_id.values()
        if base_type(column.type_name) in _SINCE_V3
    ] + [
        f"Invalid initial default for {column.name}: non-null default is not supported until v3"
        for column in index.by_id.values()
        if column.has_initial_default
    ]
    if problems:
        listed = "\n- ".join(problems[:20])
        raise BadCatalogRequest(f"Invalid schema for v{format_version}:\n- {listed}", pointer=pointer)


def schema_key(schema: Mapping[str, Any]) -> bytes:
    """Return what makes two schemas the same: a digest of fields and identifier fields; their own ids do not count."""
    content = [sorted(set(schema.get("identifier-field-ids") or ())), without_nulls(schema["fields"])]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def without_nulls(value: Any) -> Any:
    """Return JSON without the fields that are null, at any level: absent and null mean the same."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value


def with_fresh_ids(schema: Mapping[str, Any], next_id: Callable[[], int]) -> tuple[dict[str, Any], dict[int, int]]:
    """Number the fields of a checked schema anew.

    Parameters
    ----------
    schema
        Checked by `index_schema`; not changed.
    next_id
        Returns a new id with each call.

    Returns
    -------
    tuple
        The schema, with the id 0, and the new id of each old one.

    Notes
    -----
    The order is the reference implementation's (`AssignFreshIds`): all fields of a struct, then what is in each.
    """
    new_of: dict[int, int] = {}
    fresh = {**without_nulls(_fresh_type({**schema, "type": "struct"}, next_id, new_of)), "schema-id": 0}
    identifiers = [new_of[old] for old in schema.get("identifier-field-ids") or ()]
    fresh.pop("identifier-field-ids", None)
    if identifiers:
        fresh["identifier-field-ids"] = identifiers
    return fresh, new_of


def _fresh_type(value: Any, next_id: Callable[[], int], new_of: dict[int, int]) -> Any:
    if not isinstance(value, dict):
        return value
    if value["type"] == "struct":
        fields = value["fields"]
        for one in fields:
            new_of[one["id"]] = next_id()
        return {
            **value,
            "fields": [
                {**one, "id": new_of[one["id"]], "type": _fresh_type(one["type"], next_id, new_of)} for one in fields
            ],
        }
    parts = ("element",) if value["type"] == "list" else ("key", "value")
    for part in parts:
        new_of[value[f"{part}-id"]] = next_id()
    ids = {f"{part}-id": new_of[value[f"{part}-id"]] for part in parts}
    return {**value, **ids, **{part: _fresh_type(value[part], next_id, new_of) for part in parts}}
