"""What the OpenAPI document says of datasets."""

from __future__ import annotations

from collections.abc import Callable

from catalog.models import Relation
from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    FREE,
    INTEGER,
    PAGES,
    STRING,
    TIME,
    UUID,
    Call,
    Method,
    body_of,
    list_of,
    or_null,
    page_of,
    query,
    shape,
    words,
)

TAG = "catalog"
_DATASET_FIELDS = {
    "table": {**STRING, "description": "namespace.table, as the other calls take it."},
    "namespace": list_of(STRING),
    "name": STRING,
    "kind": words([kind.value for kind in Relation.Kind]),
    "uuid": UUID,
    "version": {**INTEGER, "description": "Grows by one with each commit."},
    "format_version": INTEGER,
    "location": STRING,
    "metadata_location": STRING,
    "current_snapshot_id": or_null(INTEGER),
    "row_count": or_null(INTEGER),
    "size_bytes": or_null(INTEGER),
    "schema_fingerprint": STRING,
    "created_at": TIME,
    "updated_at": TIME,
    "deleted_at": or_null(TIME),
    "links": FREE,
}
_DATASET = shape(_DATASET_FIELDS)
_COMMIT = shape({"version": INTEGER, "action": STRING, "updates": list_of(STRING), "principal": STRING, "at": TIME})
_SNAPSHOT = shape(
    {
        "snapshot_id": INTEGER,
        "parent_snapshot_id": or_null(INTEGER),
        "committed_at_ms": INTEGER,
        "operation": STRING,
        "is_current": BOOLEAN,
        "summary": FREE,
    }
)
CALLS = {
    "dataset_list": Call(
        "List tables and views",
        page_of(_DATASET),
        parameters=[
            *PAGES,
            query("namespace", STRING, "Only those of this namespace; its levels are joined by dots."),
            query("dropped", BOOLEAN, "Those that were dropped and can be undropped."),
        ],
    ),
    "dataset_get": Call(
        "One table or view: its facts, properties and last commits",
        shape({**_DATASET_FIELDS, "properties": FREE, "commits": list_of(_COMMIT)}),
    ),
    "dataset_schema": Call("The current schema of a table or view", FREE),
    "dataset_snapshots": Call("The snapshots of a table, the newest first", page_of(_SNAPSHOT), parameters=PAGES),
    "dataset_rollback": Call(
        "Make an earlier snapshot the current one",
        _DATASET,
        body_of({"snapshot_id": INTEGER}, ["snapshot_id"]),
        example={"snapshot_id": 1},
    ),
    "dataset_undrop": Call("Bring back the table or view of this name that was dropped last", _DATASET),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], TAG)
