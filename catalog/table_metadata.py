"""The metadata of a new table.

References
----------
Apache Iceberg table specification, "Table Metadata"; the REST catalog's `CreateTableRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import Place, check_json
from catalog.partitioning import (
    FIRST_PARTITION_ID,
    UNSORTED,
    check_names,
    check_sources,
    read_order_fields,
    read_spec_fields,
)
from catalog.schemas import SchemaIndex, check_version, index_schema, with_fresh_ids, without_nulls
from catalog.table_parts import (
    NO_SNAPSHOT,
    RESERVED_PROPERTIES,
    ROW_LINEAGE_VERSION,
    SUPPORTED_FORMAT_VERSION,
    with_single_parts,
)

DEFAULT_FORMAT_VERSION: Final = 2
# What the reference implementation writes into every new table.
NEW_TABLE_PROPERTIES: Final = {"write.parquet.compression-codec": "zstd"}


def empty_table_metadata(*, table_uuid: str, location: str, format_version: int, now_ms: int) -> dict[str, Any]:
    """Return the metadata a commit with `assert-create` starts from: no schema, no spec, no order.

    Parameters
    ----------
    table_uuid
        Stands unless the commit assigns another.
    location
        Without a slash at the end.
    format_version
        1 to 3; see `requested_format_version`.
    now_ms
        Milliseconds since 1970, UTC.

    Raises
    ------
    BadCatalogRequest
        The format version is none of ours.
    """
    check_format_version(format_version, "/properties/format-version")
    metadata: dict[str, Any] = {
        "format-version": format_version,
        "table-uuid": table_uuid,
        "location": location.rstrip("/"),
        "last-updated-ms": now_ms,
        "last-column-id": 0,
        "current-schema-id": 0,
        "schemas": [],
        "default-spec-id": 0,
        "partition-specs": [],
        "last-partition-id": FIRST_PARTITION_ID - 1,
        "default-sort-order-id": 0,
        "sort-orders": [],
        "properties": {},
        "refs": {},
        "snapshots": [],
        "statistics": [],
        "partition-statistics": [],
        "snapshot-log": [],
        "metadata-log": [],
    }
    if format_version > 1:
        metadata["last-sequence-number"] = 0
    if format_version < ROW_LINEAGE_VERSION:
        metadata["current-snapshot-id"] = NO_SNAPSHOT  # Later versions leave it out.
    else:
        metadata["next-row-id"] = 0
    return metadata


def new_table_metadata(request: Mapping[str, Any], *, table_uuid: str, location: str, now_ms: int) -> dict[str, Any]:
    """Return the first metadata of a table that a client asks for.

    Parameters
    ----------
    request
        A `CreateTableRequest`: `schema`, and perhaps `partition-spec`, `write-order`, `properties`; not changed. Its
        location is not looked at.
    table_uuid, location
        What the server has decided on.
    now_ms
        Milliseconds since 1970, UTC.

    Returns
    -------
    dict
        With all ids given anew, as the reference implementation does: columns from 1, partitions from 1000. The
        property `format-version` (1 to 3, else 2) decides and is not kept.

    Raises
    ------
    BadCatalogRequest
        Naming the place of what is wrong.
    """
    body = Place(request, "")
    check_json(dict(body.value), "")
    properties = body.properties("properties")
    format_version = _format_version_of(properties)
    schema = body.place("schema")
    old_index = index_schema(schema.value, schema.pointer)
    check_version(old_index, format_version, schema.pointer)
    ids = count(1)
    fresh, new_of = with_fresh_ids(schema.value, lambda: next(ids))
    spec = _fresh_spec(body, old_index, new_of)
    order = _fresh_order(body, old_index, new_of)
    metadata = empty_table_metadata(
        table_uuid=table_uuid, location=location, format_version=format_version, now_ms=now_ms
    )
    metadata |= {
        "last-column-id": len(new_of),
        "schemas": [fresh],
        "partition-specs": [spec],
        "last-partition-id": max((one["field-id"] for one in spec["fields"]), default=FIRST_PARTITION_ID - 1),
        "default-sort-order-id": order["order-id"],
        "sort-orders": [order],
        "properties": NEW_TABLE_PROPERTIES
        | {name: text for name, text in properties.items() if name not in RESERVED_PROPERTIES},
    }
    with_single_parts(metadata)
    return metadata


def requested_format_version(updates: Sequence[Mapping[str, Any]]) -> int:
    """Return the format version with which a commit that creates a table begins: the first it asks for, else 2."""
    for update in updates if isinstance(updates, list | tuple) else ():
        if isinstance(update, Mapping) and update.get("action") == "upgrade-format-version":
            found = update.get("format-version")
            return found if type(found) is int and 1 <= found <= SUPPORTED_FORMAT_VERSION else DEFAULT_FORMAT_VERSION
    return DEFAULT_FORMAT_VERSION


def check_format_version(format_version: int, pointer: str) -> None:
    """Refuse versions that are not 1, 2 or 3."""
    if not 1 <= format_version <= SUPPORTED_FORMAT_VERSION:
        detail = f"Unsupported format version: v{format_version} (supported: v{SUPPORTED_FORMAT_VERSION})"
        raise BadCatalogRequest(detail, pointer=pointer)


def format_version_property(text: str, pointer: str) -> int:
    """Return the number that the property `format-version` says.

    Raises
    ------
    BadCatalogRequest
        It is no whole number, or one beyond all versions.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadCatalogRequest(f"{pointer}: Expected a whole number, not {text[:50]!r}.", pointer=pointer)
    return int(text)


def _format_version_of(properties: Mapping[str, str]) -> int:
    text = properties.get("format-version")
    if text is None:
        return DEFAULT_FORMAT_VERSION
    pointer = "/properties/format-version"
    version = format_version_property(text, pointer)
    check_format_version(version, pointer)
    return version


def _fresh_spec(body: Place, index: SchemaIndex, new_of: Mapping[int, int]) -> dict[str, Any]:
    if not body.has("partition-spec"):
        return {"spec-id": 0, "fields": []}
    fields = read_spec_fields(body.value["partition-spec"], body.at("partition-spec"))
    check_sources(fields, index, "partition")
    check_names(fields, index)
    fresh = [
        {**_with_new_sources(one.value, new_of), "field-id": FIRST_PARTITION_ID + i} for i, one in enumerate(fields)
    ]
    return {"spec-id": 0, "fields": fresh}


def _fresh_order(body: Place, index: SchemaIndex, new_of: Mapping[int, int]) -> dict[str, Any]:
    if not body.has("write-order"):
        return dict(UNSORTED)
    fields = read_order_fields(body.value["write-order"], body.at("write-order"))
    check_sources(fields, index, "sort")
    fresh = [_with_new_sources(one.value, new_of) for one in fields]
    return {"order-id": 1, "fields": fresh} if fresh else dict(UNSORTED)


def _with_new_sources(field: Mapping[str, Any], new_of: Mapping[int, int]) -> dict[str, Any]:
    fresh: dict[str, Any] = without_nulls(dict(field))
    if "source-id" in fresh:
        fresh["source-id"] = new_of.get(fresh["source-id"], fresh["source-id"])
    if "source-ids" in fresh:
        fresh["source-ids"] = [new_of.get(source, source) for source in field["source-ids"]]
    return fresh
