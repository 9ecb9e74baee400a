"""What the OpenAPI document says of each call. Field names come from `validation.py`, so the two cannot part."""

from __future__ import annotations

from collections.abc import Callable

from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    FREE,
    INTEGER,
    NUMBER,
    PAGES,
    STRING,
    TIME,
    Call,
    Method,
    Schema,
    body_of,
    list_of,
    or_null,
    page_of,
    query,
    shape,
    within,
    words,
)
from vectors import arrow_stream, items, queries, validation
from vectors.distances import DISTANCES
from vectors.fields import MAX_KEY_LENGTH

_NUMBERS = list_of(NUMBER)
_BASE64: Schema = {"type": "string", "format": "byte", "description": "Base64 of little-endian float32."}
_KEY: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH}
_KEYS = list_of(_KEY)
_METADATA: Schema = {"type": "object", "nullable": True, "additionalProperties": True}
_INCLUDE = list_of(words(queries.INCLUDE))
_WORDS_TO_INCLUDE: Schema = {"type": "string", "pattern": f"^({'|'.join(queries.INCLUDE)}|,)*$"}
_NAME: Schema = {"type": "string", "pattern": f"^{validation.NAME.pattern}$"}
_FILTER: Schema = {
    "type": "object",
    "nullable": True,
    "additionalProperties": True,
    "description": 'Which items count, for example {"lang": "en", "year": {"$gte": 2020}}; '
    "docs/reference/filters.md tells the language.",
}
_MMR = body_of(
    {
        "lambda": {"type": "number", "minimum": 0, "maximum": 1, "default": queries.DEFAULT_RELEVANCE},
        "fetch_k": within(1, queries.MAX_K),
    }
)
_SEARCH_OPTIONS: Schema = {
    "k": within(1, queries.MAX_K, queries.DEFAULT_K),
    "filter": _FILTER,
    "exact": {"type": "boolean", "default": False},
    "include": {**_INCLUDE, "default": ["metadata"]},
    "max_distance": {"type": "number", "nullable": True},
}
_NEW_INDEX = body_of(
    {
        "name": _NAME,
        "dimension": within(1, validation.MAX_DIMENSION),
        "distance": words(DISTANCES, "cosine"),
        "m": within(2, validation.MAX_M, validation.DEFAULT_M),
        "ef_construction": within(1, validation.MAX_EF, validation.DEFAULT_EF_CONSTRUCTION),
        "ef_search": within(1, validation.MAX_EF, validation.DEFAULT_EF_SEARCH),
    },
    ["name", "dimension"],
)
_NEW_ITEM = body_of({"id": _KEY, "vector": _NUMBERS, "vector_b64": _BASE64, "metadata": _METADATA}, ["id"])
_SEARCH = body_of(
    {
        "vector": _NUMBERS,
        "vectors": list_of(_NUMBERS),
        "vector_b64": _BASE64,
        "vectors_b64": list_of(_BASE64),
        "id": _KEY,
        **_SEARCH_OPTIONS,
        "mmr": {**_MMR, "nullable": True},
    },
)
_MULTI_SEARCH = body_of(
    {"indexes": list_of(_NAME), "vector": _NUMBERS, "vector_b64": _BASE64, **_SEARCH_OPTIONS}, ["indexes"]
)
_MERGE = body_of(
    {
        "dest": _NAME,
        "clear_source": {"type": "boolean", "default": False},
        "on_conflict": words(validation.ON_CONFLICT, "skip"),
        "dry_run": {"type": "boolean", "default": False},
    },
    ["dest"],
)

_SNAPSHOT = shape(
    {
        "seq": {**INTEGER, "nullable": True, "description": "It holds every write up to this one."},
        "bytes": {**INTEGER, "nullable": True},
        "created_at": {**TIME, "nullable": True},
        "error": {**STRING, "nullable": True, "description": "What went wrong since; the data are safe in the rows."},
    }
)
_RECALL = shape(
    {"recall": NUMBER, "num": INTEGER, "k": INTEGER, "ann_ms": NUMBER, "exact_ms": NUMBER, "measured_at": TIME}
)
_INFO = shape(
    {
        "name": _NAME,
        "dimension": INTEGER,
        "distance": words(DISTANCES),
        "m": INTEGER,
        "ef_construction": INTEGER,
        "ef_search": INTEGER,
        "count": INTEGER,
        "seq": INTEGER,
        "created_at": TIME,
        "updated_at": TIME,
        "snapshot": {**_SNAPSHOT, "nullable": True},
        "recall": {**_RECALL, "nullable": True, "description": "The last measurement."},
        "warnings": {**list_of(STRING), "description": "What is wrong with the index, and what to do."},
    }
)
_ITEM = shape({"id": _KEY, "metadata": _METADATA, "vector": _NUMBERS}, ["id"])
_HIT = shape(
    {"id": _KEY, "distance": {"type": "number"}, "metadata": _METADATA, "vector": _NUMBERS}, ["id", "distance"]
)
_RECALL_WANTED = body_of(
    {"num": within(1, queries.MAX_QUERIES, queries.DEFAULT_NUM), "k": within(1, queries.MAX_K, 10)}
)
_MERGED = shape(
    {"source": _NAME, "dest": _NAME}
    | dict.fromkeys(("scanned", "added", "overwritten", "skipped", "deleted", "source_count", "dest_count"), INTEGER)
)

_NEW_INDEX_EXAMPLE = {"name": "notes", "dimension": 3, "distance": "cosine"}
_VECTOR_EXAMPLE = [0.1, 0.9, 0.2]
_ITEMS_EXAMPLE = [
    {"id": "a", "vector": [0.1, 0.9, 0.2], "metadata": {"lang": "en", "year": 2024}},
    {"id": "b", "vector": [0.8, 0.1, 0.3], "metadata": {"lang": "de", "year": 2025}},
]
_ARROW: dict[str, Schema] = {
    arrow_stream.MEDIA_TYPE: {
        "type": "string",
        "format": "binary",
        "description": "Columns: id (string), vector (list of floats), metadata (string of JSON, may be missing).",
    }
}

CALLS: dict[str, Call] = {
    "index_list": Call("List indexes", page_of(_INFO), parameters=PAGES),
    "index_create": Call("Create an index", _INFO, _NEW_INDEX, 201, example=_NEW_INDEX_EXAMPLE),
    "index_get": Call("Get an index", _INFO),
    "index_delete": Call("Delete an index with its items", None, status=204),
    "add": Call(
        "Add or replace items",
        shape(dict.fromkeys(("added", "updated", "count", "seq"), INTEGER)),
        body_of({"items": list_of(_NEW_ITEM)}, ["items"]),
        example={"items": _ITEMS_EXAMPLE},
        other_bodies=_ARROW,
    ),
    "search": Call(
        "Find the nearest items",
        shape({"results": list_of({"oneOf": [_HIT, list_of(_HIT)]}), "exact": BOOLEAN, "seq": INTEGER}),
        _SEARCH,
        example={"vector": _VECTOR_EXAMPLE, "k": 5, "filter": {"lang": "en"}},
    ),
    "multi_search": Call(
        "Find the nearest items of several indexes",
        shape({"results": list_of({"allOf": [_HIT, shape({"index": _NAME})]}), "exact": BOOLEAN}),
        _MULTI_SEARCH,
        example={"indexes": ["notes", "archive"], "vector": _VECTOR_EXAMPLE, "k": 5},
    ),
    "fetch": Call(
        "Fetch items by id",
        shape({"items": list_of(_ITEM), "missing": _KEYS}),
        body_of({"ids": _KEYS, "include": {**_INCLUDE, "default": list(queries.INCLUDE)}}, ["ids"]),
        example={"ids": ["a", "b"], "include": ["metadata"]},
    ),
    "count": Call(
        "Count items",
        shape({"count": INTEGER}),
        body_of({"filter": _FILTER}),
        example={"filter": {"year": {"$gte": 2024}}},
    ),
    "delete": Call(
        "Delete items by id or by a filter",
        shape({"deleted": INTEGER, "missing": _KEYS, "seq": INTEGER}),
        body_of({"ids": _KEYS, "filter": _FILTER}),
        example={"ids": ["b"]},
    ),
    "items": Call(
        "List items",
        shape({"items": list_of(_ITEM), "next": or_null(STRING)}),
        parameters=[
            query("cursor", STRING, "The value of next from the page before."),
            query("limit", within(1, items.MAX_PAGE_ITEMS, items.DEFAULT_PAGE_ITEMS), "Items a page."),
            query("include", _WORDS_TO_INCLUDE, "Comma-separated: metadata, vector. Default: metadata."),
        ],
    ),
    "patch": Call(
        "Change metadata of items",
        shape({"updated": INTEGER, "missing": _KEYS, "seq": INTEGER}),
        body_of({"items": list_of(body_of({"id": _KEY, "metadata": FREE}, ["id", "metadata"]))}, ["items"]),
        example={"items": [{"id": "a", "metadata": {"reviewed": True}}]},
    ),
    "recall": Call("Measure the recall of an index", _RECALL, _RECALL_WANTED, example={"num": 25, "k": 10}),
    "recall_history": Call("Earlier measurements of recall", shape({"results": list_of(_RECALL)})),
    "duplicates": Call(
        "Find near-duplicates",
        shape({"groups": list_of(shape({"ids": _KEYS, "max_distance": NUMBER})), "scanned": INTEGER}),
        body_of(
            {"threshold": {**NUMBER, "description": "Distance up to which two items are duplicates."}}, ["threshold"]
        ),
        example={"threshold": 0.05},
    ),
    "merge": Call("Merge this index into another", _MERGED, _MERGE, example={"dest": "archive", "dry_run": True}),
    "snapshot": Call("Publish a snapshot of an index", _SNAPSHOT),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], "vectors")
