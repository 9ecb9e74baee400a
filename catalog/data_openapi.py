"""What the OpenAPI document says of ingest, queries and previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from catalog.ingest_requests import IMPORT_FOLDER, MODES
from catalog.ingest_source import FORMATS as FILE_FORMATS
from catalog.query import DEFAULT_LIMIT, MAX_LIMIT
from catalog.query_answers import CONTENT_TYPES
from catalog.query_values import FORMATS
from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    FREE,
    INTEGER,
    JSON,
    NUMBER,
    STRING,
    UUID,
    Call,
    Schema,
    body_of,
    list_of,
    or_null,
    query,
    shape,
    within,
    words,
)

Method = TypeVar("Method", bound=Callable[..., object])

TAG = "catalog"
_ANY: Schema = {"nullable": True}
_OPTIONS: dict[str, Schema] = {
    "table": {**STRING, "description": "namespace.table; a part with dots in it stands in double quotes."},
    "mode": words(MODES, "create"),
    "format": {**words(FILE_FORMATS), "description": "Needed where the file's name does not tell."},
    "delimiter": STRING,
    "header": BOOLEAN,
    "null": {**STRING, "description": "The text that stands for no value in CSV."},
    "types": {
        "type": "object",
        "additionalProperties": STRING,
        "description": "Type by column, where a guess is wrong.",
    },
    "evolve": {**BOOLEAN, "default": False, "description": "Add columns to the table, or widen them, if need be."},
    "dry_run": {**BOOLEAN, "default": False, "description": "Only say what the columns would be; answered with 200."},
}
_FROM_OBJECT = body_of(
    {**_OPTIONS, "object": {**STRING, "description": f"A key below {IMPORT_FOLDER}"}}, ["table", "object"]
)
_UPLOAD = shape({"file": {"type": "string", "format": "binary"}, **_OPTIONS}, ["table", "file"])
_INGESTED = shape(
    {
        "table": STRING,
        "mode": words(MODES),
        "snapshot_id": or_null(INTEGER),
        "rows": or_null(INTEGER),
        "fingerprint": {**STRING, "description": "SHA-256 of the table's schema."},
        "deduplicated": {**BOOLEAN, "description": "These rows were there already; nothing was changed."},
        "schema": list_of(FREE),
        "columns": list_of(shape({"name": STRING, "found": STRING})),
        "file_sha256": STRING,
        "seconds": NUMBER,
    }
)
_ROWS = shape(
    {
        "columns": list_of(shape({"name": STRING, "type": STRING})),
        "rows": list_of({"type": "array", "items": _ANY}),
        "row_count": INTEGER,
        "truncated": {**BOOLEAN, "description": "There are more rows than the limit."},
        "seconds": NUMBER,
        "query_id": UUID,
        "tables": list_of(STRING),
    }
)
_QUERY = body_of(
    {
        "sql": {**STRING, "description": "One SELECT; tables are named namespace.table."},
        "limit": within(1, MAX_LIMIT, DEFAULT_LIMIT),
        "format": words(FORMATS, "json"),
    },
    ["sql"],
)
_QUERY_EXAMPLE = {"sql": "SELECT 1 AS one", "limit": 10}

CALLS = {
    "ingest": Call(
        "Take a file into a table, once",
        _INGESTED,
        _FROM_OBJECT,
        201,
        other_status=200,
        example={"table": "shop.orders", "mode": "create", "object": f"{IMPORT_FOLDER}orders.csv"},
        other_bodies={"multipart/form-data": _UPLOAD},
    ),
    "dataset_preview": Call(
        "Some rows of a table",
        _ROWS,
        parameters=[query("limit", within(1, 1_000, 100), "Rows at the most.")],
    ),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], TAG)


def describes_rows(method: Method) -> Method:
    """Attach the description of a query, whose rows come in one of several formats."""
    binary: Schema = {"type": "string", "format": "binary"}
    answers = {
        (200, CONTENT_TYPES[name].partition(";")[0]): OpenApiResponse(binary, "The rows.") for name in FORMATS[1:]
    }
    described: Method = extend_schema(
        operation_id="query",
        summary="Run read-only SQL over the tables",
        tags=[TAG],
        request={JSON: _QUERY},
        responses={(200, JSON): OpenApiResponse(_ROWS, "The rows."), **answers},
        examples=[OpenApiExample("Example", _QUERY_EXAMPLE, request_only=True, media_type=JSON)],
    )(method)
    described.example_body = _QUERY_EXAMPLE  # type: ignore[attr-defined]
    return described
