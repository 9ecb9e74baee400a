"""Requests and updates as clients send them, with defaults."""

from __future__ import annotations

from typing import Any

from catalog.table_metadata import new_table_metadata

UUID = "9c12d441-03fe-4693-9a96-a0705ddf69c1"
LOCATION = "file:///warehouse/t"
NOW = 1_700_000_000_000


def column(field_id: int, name: str, kind: Any = "long", *, required: Any = False, **more: Any) -> dict[str, Any]:
    return {"id": field_id, "name": name, "type": kind, "required": required, **more}


def schema_json(*columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "struct", "schema-id": 0, "fields": list(columns), **more}


SCHEMA = schema_json(
    column(1, "id", required=True),
    column(2, "at", "timestamptz"),
    column(3, "name", "string"),
    column(4, "x", "double"),
)


def request(version: Any = 2, **more: Any) -> dict[str, Any]:
    properties = {"format-version": str(version), **more.pop("properties", {})}
    return {"name": "t", "schema": SCHEMA, "properties": properties, **more}


def table(version: Any = 2, **more: Any) -> dict[str, Any]:
    return new_table_metadata(request(version, **more), table_uuid=UUID, location=LOCATION, now_ms=NOW)


def snapshot(snapshot_id: int, parent: Any = None, **more: Any) -> dict[str, Any]:
    """Return a snapshot that goes with every format version, unless it is the first: v1 wants sequence number 0."""
    found = {
        "snapshot-id": snapshot_id,
        "sequence-number": snapshot_id,
        "timestamp-ms": NOW + snapshot_id,
        "manifest-list": f"{LOCATION}/metadata/snap-{snapshot_id}.avro",
        "summary": {"operation": "append", "total-records": str(10 * snapshot_id), "total-files-size": "500"},
        "schema-id": 0,
        **({} if parent is None else {"parent-snapshot-id": parent}),
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


def add_snapshot(snapshot_id: int, parent: Any = None, **more: Any) -> dict[str, Any]:
    return {"action": "add-snapshot", "snapshot": snapshot(snapshot_id, parent, **more)}


def set_ref(snapshot_id: Any, name: Any = "main", kind: Any = "branch", **more: Any) -> dict[str, Any]:
    return {"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": snapshot_id, **more}


def append(snapshot_id: int, parent: Any = None, **more: Any) -> list[dict[str, Any]]:
    return [add_snapshot(snapshot_id, parent, **more), set_ref(snapshot_id)]


def sort_field(source: int, transform: str = "identity") -> dict[str, Any]:
    return {"source-id": source, "transform": transform, "direction": "asc", "null-order": "nulls-first"}
