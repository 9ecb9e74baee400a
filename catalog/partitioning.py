"""Partition specs and sort orders: checked, bound to a schema, compared.

References
----------
Apache Iceberg table specification, "Partitioning", "Partition Transforms" and "Sorting".
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import INT32_MAX, Place
from catalog.schemas import NESTED, SchemaIndex, base_type, without_nulls

FIRST_PARTITION_ID: Final = 1000
UNSORTED: Final[dict[str, Any]] = {"order-id": 0, "fields": []}
_DATES: Final = frozenset({"date", "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns"})
_TIMES: Final = _DATES - {"date"}
# What each transform takes; None: every primitive.
_SOURCES: Final[dict[str, frozenset[str] | None]] = {
    "void": None,
    "identity": None,
    "year": _DATES,
    "month": _DATES,
    "day": _DATES,
    "hour": _TIMES,
    "bucket": _TIMES | {"int", "long", "decimal", "date", "time", "string", "uuid", "fixed", "binary"},
    "truncate": frozenset({"int", "long", "decimal", "string", "binary"}),
}
_NO_IDENTITY: Final = frozenset({"variant", "geometry", "geography"})
_TRANSFORM: Final = re.compile(r"(void|identity|year|month|day|hour)|(bucket|truncate)\[(\d{1,10})\]")


def read_spec_fields(spec: object, pointer: str) -> list[Place]:
    """Return the fields of a partition spec, each checked by itself.

    Raises
    ------
    BadCatalogRequest
        Naming the place: something is missing or of a wrong type, a transform is unknown, a name or an id stands twice.
    """
    place = Place(spec, pointer)
    place.optional_integer("spec-id", -1, INT32_MAX)
    place.items("fields")
    names: set[str] = set()
    ids: set[int] = set()
    found = place.places("fields")
    for one in found:
        sources_of(one)
        _check_transform(one)
        name = one.text("name")
        if name in names:
            raise one.fault("name", f"Cannot use partition name more than once: {name}")
        names.add(name)
        field_id = one.optional_integer("field-id", 0, INT32_MAX)
        if field_id is not None and field_id in ids:
            raise one.fault("field-id", f"Cannot use partition field id more than once: {field_id}")
        ids.update(() if field_id is None else (field_id,))
    return found


def read_order_fields(order: object, pointer: str) -> list[Place]:
    """Return the fields of a sort order, each checked by itself. Errors are as for `read_spec_fields`."""
    place = Place(order, pointer)
    place.optional_integer("order-id", -1, INT32_MAX)
    place.items("fields")
    found = place.places("fields")
    for one in found:
        sources_of(one)
        _check_transform(one)
        for name, choices in (("direction", ("asc", "desc")), ("null-order", ("nulls-first", "nulls-last"))):
            if one.text(name).lower() not in choices:
                raise one.fault(name, f"{one.at(name)}: Expected {' or '.join(choices)}.")
    return found


def sources_of(field: Place) -> list[int]:
    """Return the ids of the columns that a field is made of. Since v3 there may be several (`source-ids`)."""
    if field.has("source-ids") and not field.has("source-id"):
        sources = field.integers("source-ids", 0, INT32_MAX)
        if not sources:
            raise field.fault("source-ids", f"{field.at('source-ids')}: Name at least one column.")
        return sources
    return [field.integer("source-id", 0, INT32_MAX)]


def _check_transform(field: Place) -> None:
    text = field.text("transform")
    match = _TRANSFORM.fullmatch(text.lower())
    if match is None or (match[3] and not 0 < int(match[3]) <= INT32_MAX):
        raise field.fault("transform", f"Cannot parse transform: {text[:200]}")


def check_sources(fields: Sequence[Place], index: SchemaIndex, what: str) -> None:
    """Refuse fields whose column is not in the schema, or is of a type that the transform does not take.

    Parameters
    ----------
    fields
        From `read_spec_fields` or `read_order_fields`.
    index
        The schema's fields.
    what
        ``partition`` or ``sort``: of what they are fields.

    Raises
    ------
    BadCatalogRequest
        Naming the place.
    """
    for one in fields:
        transform = one.text("transform").lower()
        for source in sources_of(one):
            if transform == "void" and source not in index.by_id:
                continue  # What is left in v1 of a field whose column was dropped.
            column = index.by_id.get(source)
            if column is None:
                detail = f"Cannot find source column for {what} field: {_field_text(one)}"
                raise one.fault("source-id", detail)
            if column.type_name in NESTED:
                verb = "partition" if what == "partition" else "sort"
                raise one.fault("source-id", f"Cannot {verb} by non-primitive source field: {column.type_name}")
            if not _takes(transform, base_type(column.type_name)):
                detail = f"Invalid source type {column.type_name} for transform: {transform}"
                raise one.fault("transform", detail)


def _takes(transform: str, type_name: str) -> bool:
    name = transform.partition("[")[0]
    sources = _SOURCES.get(name)  # Tables that were registered may have transforms of later specifications.
    if sources is None:
        return name != "identity" or type_name not in _NO_IDENTITY
    return type_name in sources


def _field_text(field: Place) -> str:
    names = (str(field.value.get(name)) for name in ("field-id", "name", "transform"))
    return f"{': '.join(names)}({', '.join(map(str, sources_of(field)))})"


def check_names(fields: Sequence[Place], index: SchemaIndex) -> None:
    """Refuse a partition that is called as a column is, unless it is made of that column."""
    for one in fields:
        name = one.text("name")
        column_id = index.id_of_name.get(name)
        if column_id is not None and column_id not in sources_of(one):
            raise one.fault("name", f"Cannot create identity partition sourced from different field in schema: {name}")


def spec_key(spec: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what makes two specs the same: columns, transforms and names; ids do not count."""
    return tuple((*_source_key(one), one["name"]) for one in spec["fields"])


def order_key(order: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what makes two sort orders the same: columns, transforms and directions; ids do not count."""
    return tuple((*_source_key(one), one["direction"].lower(), one["null-order"].lower()) for one in order["fields"])


def _source_key(field: Mapping[str, Any]) -> tuple[Hashable, ...]:
    sources = field.get("source-ids") if field.get("source-id") is None else [field["source-id"]]
    return (tuple(sources or ()), field["transform"].lower())


def partition_ids(spec: Mapping[str, Any]) -> dict[Hashable, int]:
    """Return the id of each field of a spec by its column and transform."""
    return {_source_key(one): one["field-id"] for one in spec["fields"]}


def numbered_fields(
    fields: Sequence[Place], known: Mapping[Hashable, int], last_id: int, *, is_sequential: bool
) -> list[dict[str, Any]]:
    """Return the JSON of a spec's fields, each with an id.

    Parameters
    ----------
    fields
        From `read_spec_fields`.
    known
        `partition_ids` of the table's specs. A field without an id takes that of the same column and transform.
    last_id
        The highest id ever given.
    is_sequential
        As in v1, where ids count from 1000 in every spec.
    """
    taken = {one.value["field-id"] for one in fields if one.has("field-id")}
    numbered = []
    for i, one in enumerate(fields):
        field_id = one.value.get("field-id")
        if field_id is None and is_sequential:
            field_id = FIRST_PARTITION_ID + i
        elif field_id is None:
            field_id = known.get(_source_key(one.value))
            if field_id is None or field_id in taken:
                last_id = field_id = max(last_id, *taken, 0) + 1
        taken.add(field_id)
        numbered.append({**without_nulls(dict(one.value)), "field-id": field_id})
    return numbered


def check_sequential(fields: Sequence[Mapping[str, Any]], pointer: str) -> None:
    """Refuse field ids that do not count from 1000: readers of v1 go by position."""
    if any(one["field-id"] != FIRST_PARTITION_ID + i for i, one in enumerate(fields)):
        detail = "Spec does not use sequential IDs that are required in v1"
        raise BadCatalogRequest(detail, pointer=pointer)
