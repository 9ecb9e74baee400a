"""What the OpenAPI document says of each call. Field names come from `validation.py`, so the two cannot part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from vectors import arrow_stream, items, queries, validation
from vectors.distances import DISTANCES
from vectors.fields import MAX_KEY_LENGTH

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_BOOLEAN: Schema = {"type": "boolean"}
_STRING: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_NUMBERS: Schema = {"type": "array", "items": {"type": "number"}}
_BASE64: Schema = {"type": "string", "format": "byte", "description": "Base64 of little-endian float32."}
_KEY: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}
_KEYS: Schema = {"type": "array", "items": _KEY}
_METADATA: Schema = {"type": "object", "nullable": True, "additionalProperties": True}
_INCLUDE: Schema = {"type": "array", "items": {"type": "string", "enum": list(queries.INCLUDE)}}
_NAME: Schema = {"type": "string", "pattern": f"^{validation.NAME.pattern}$"}


def _object(properties: Schema, required: Sequence[str] | None = None) -> Schema:
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {})


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _within(low: int, high: int, default: int | None = None) -> Schema:
    limits: Schema = {"type": "integer", "minimum": low, "maximum": high}
    return limits if default is None else {**limits, "default": default}


_FILTER: Schema = {
    "type": "object",
    "nullable": True,
    "additionalProperties": True,
    "description": 'Which items count, for example {"lang": "en", "year": {"$gte": 2020}}; '
    "docs/reference/filters.md tells the language.",
}
_MMR = _object(
    {
        "lambda": {"type": "number", "minimum": 0, "maximum": 1, "default": queries.DEFAULT_RELEVANCE},
        "fetch_k": _within(1, queries.MAX_K),
    },
    [],
)
_SEARCH_OPTIONS: Schema = {
    "k": _within(1, queries.MAX_K, queries.DEFAULT_K),
    "filter": _FILTER,
    "exact": {"type": "boolean", "default": False},
    "include": {**_INCLUDE, "default": ["metadata"]},
    "max_distance": {"type": "number", "nullable": True},
}
_NEW_INDEX = _object(
    {
        "name": _NAME,
        "dimension": _within(1, validation.MAX_DIMENSION),
        "distance": {"type": "string", "enum": list(DISTANCES), "default": "cosine"},
        "m": _within(2, validation.MAX_M, validation.DEFAULT_M),
        "ef_construction": _within(1, validation.MAX_EF, validation.DEFAULT_EF_CONSTRUCTION),
        "ef_search": _within(1, validation.MAX_EF, validation.DEFAULT_EF_SEARCH),
    },
    ["name", "dimension"],
)
_NEW_ITEM = _object({"id": _KEY, "vector": _NUMBERS, "vector_b64": _BASE64, "metadata": _METADATA}, ["id"])
_SEARCH = _object(
    {
        "vector": _NUMBERS,
        "vectors": _list(_NUMBERS),
        "vector_b64": _BASE64,
        "vectors_b64": _list(_BASE64),
        "id": _KEY,
        **_SEARCH_OPTIONS,
        "mmr": {**_MMR, "nullable": True},
    },
    [],
)
_MULTI_SEARCH = _object(
    {"indexes": _list(_NAME), "vector": _NUMBERS, "vector_b64": _BASE64, **_SEARCH_OPTIONS}, ["indexes"]
)
_MERGE = _object(
    {
        "dest": _NAME,
        "clear_source": {"type": "boolean", "default": False},
        "on_conflict": {"type": "string", "enum": list(validation.ON_CONFLICT), "default": "skip"},
        "dry_run": {"type": "boolean", "default": False},
    },
    ["dest"],
)

_SNAPSHOT = _object(
    {
        "seq": {**_INTEGER, "nullable": True, "description": "It holds every write up to this one."},
        "bytes": {**_INTEGER, "nullable": True},
        "created_at": {**_TIME, "nullable": True},
        "error": {**_STRING, "nullable": True, "description": "What went wrong since; the data are safe in the rows."},
    }
)
_RECALL = _object(
    {"recall": _NUMBER, "num": _INTEGER, "k": _INTEGER, "ann_ms": _NUMBER, "exact_ms": _NUMBER, "measured_at": _TIME}
)
_INFO = _object(
    {
        "name": _NAME,
        "dimension": _INTEGER,
        "distance": {"type": "string", "enum": list(DISTANCES)},
        "m": _INTEGER,
        "ef_construction": _INTEGER,
        "ef_search": _INTEGER,
        "count": _INTEGER,
        "seq": _INTEGER,
        "created_at": _TIME,
        "updated_at": _TIME,
        "snapshot": {**_SNAPSHOT, "nullable": True},
        "recall": {**_RECALL, "nullable": True, "description": "The last measurement."},
        "warnings": {**_list(_STRING), "description": "What is wrong with the index, and what to do."},
    }
)
_ITEM = _object({"id": _KEY, "metadata": _METADATA, "vector": _NUMBERS}, ["id"])
_HIT = _object(
    {"id": _KEY, "distance": {"type": "number"}, "metadata": _METADATA, "vector": _NUMBERS}, ["id", "distance"]
)
_URI: Schema = {"type": "string", "format": "uri", "nullable": True}
_RECALL_WANTED = _object(
    {"num": _within(1, queries.MAX_QUERIES, queries.DEFAULT_NUM), "k": _within(1, queries.MAX_K, 10)}, []
)
_MERGED = _object(
    {"source": _NAME, "dest": _NAME}
    | dict.fromkeys(("scanned", "added", "overwritten", "skipped", "deleted", "source_count", "dest_count"), _INTEGER)
)

PROBLEM = _object(
    {
        "type": _STRING,
        "title": _STRING,
        "status": _INTEGER,
        "detail": _STRING,
        "code": _STRING,
        "request_id": _STRING,
        "errors": _list(_object({"pointer": _STRING, "code": _STRING, "detail": _STRING})),
    },
    ["type", "title", "status", "detail", "code", "request_id"],
)


def _query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


# operation: (summary, request body, status, answer, query parameters)
CALLS: dict[str, tuple[str, Schema | None, int, Schema | None, list[OpenApiParameter]]] = {
    "index_list": (
        "List indexes",
        None,
        200,
        _object({"count": _INTEGER, "next": _URI, "previous": _URI, "results": _list(_INFO)}),
        [
            _query("limit", _within(1, 1_000, 100), "Indexes a page."),
            _query("offset", {"type": "integer", "minimum": 0, "default": 0}, "Indexes to pass over."),
        ],
    ),
    "index_create": ("Create an index", _NEW_INDEX, 201, _INFO, []),
    "index_get": ("Get an index", None, 200, _INFO, []),
    "index_delete": ("Delete an index with its items", None, 204, None, []),
    "add": (
        "Add or replace items",
        _object({"items": _list(_NEW_ITEM)}),
        200,
        _object(dict.fromkeys(("added", "updated", "count", "seq"), _INTEGER)),
        [],
    ),
    "search": (
        "Find the nearest items",
        _SEARCH,
        200,
        _object(
            {"results": _list({"oneOf": [_HIT, _list(_HIT)]}), "exact": _BOOLEAN, "seq": _INTEGER},
        ),
        [],
    ),
    "multi_search": (
        "Find the nearest items of several indexes",
        _MULTI_SEARCH,
        200,
        _object({"results": _list({"allOf": [_HIT, _object({"index": _NAME})]}), "exact": _BOOLEAN}),
        [],
    ),
    "fetch": (
        "Fetch items by id",
        _object({"ids": _KEYS, "include": {**_INCLUDE, "default": list(queries.INCLUDE)}}, ["ids"]),
        200,
        _object({"items": _list(_ITEM), "missing": _KEYS}),
        [],
    ),
    "count": (
        "Count items",
        _object({"filter": _FILTER}, []),
        200,
        _object({"count": _INTEGER}),
        [],
    ),
    "delete": (
        "Delete items by id or by a filter",
        _object({"ids": _KEYS, "filter": _FILTER}, []),
        200,
        _object({"deleted": _INTEGER, "missing": _KEYS, "seq": _INTEGER}),
        [],
    ),
    "items": (
        "List items",
        None,
        200,
        _object({"items": _list(_ITEM), "next": {"type": "string", "nullable": True}}),
        [
            _query("cursor", _STRING, "The value of next from the page before."),
            _query("limit", _within(1, items.MAX_PAGE_ITEMS, items.DEFAULT_PAGE_ITEMS), "Items a page."),
            _query("include", _STRING, "Comma-separated: metadata, vector. Default: metadata."),
        ],
    ),
    "patch": (
        "Change metadata of items",
        _object({"items": _list(_object({"id": _KEY, "metadata": {"type": "object", "additionalProperties": True}}))}),
        200,
        _object({"updated": _INTEGER, "missing": _KEYS, "seq": _INTEGER}),
        [],
    ),
    "recall": ("Measure the recall of an index", _RECALL_WANTED, 200, _RECALL, []),
    "recall_history": ("Earlier measurements of recall", None, 200, _object({"results": _list(_RECALL)}), []),
    "duplicates": (
        "Find near-duplicates",
        _object({"threshold": {"type": "number", "description": "Distance up to which two items are duplicates."}}),
        200,
        _object({"groups": _list(_object({"ids": _KEYS, "max_distance": _NUMBER})), "scanned": _INTEGER}),
        [],
    ),
    "merge": ("Merge this index into another", _MERGE, 200, _MERGED, []),
    "snapshot": ("Publish a snapshot of an index", None, 200, _SNAPSHOT, []),
}


_BINARY: dict[str, Schema] = {
    "add": {
        arrow_stream.MEDIA_TYPE: {
            "type": "string",
            "format": "binary",
            "description": "Columns: id (string), vector (list of floats), metadata (string of JSON, may be missing).",
        }
    }
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    summary, body, status, answer, parameters = CALLS[call]
    done = OpenApiResponse(answer, "Done.")
    problem = OpenApiResponse(PROBLEM, "A problem: what is wrong and what to do.")
    return extend_schema(
        operation_id=call,
        summary=summary,
        tags=["vectors"],
        parameters=parameters,
        request=None if body is None else {"application/json": body, **_BINARY.get(call, {})},
        responses={
            (status, "application/json") if answer else status: done,
            ("4XX", "application/problem+json"): problem,
        },
    )
