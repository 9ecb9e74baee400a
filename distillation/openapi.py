"""What the OpenAPI document says of scored runs and of quarantine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from distillation.firewall import Category
from distillation.models import QuarantinedLine
from distillation.quarantine import MAX_NOTE_CHARACTERS
from distillation.runs import MAX_PAGE
from distillation.validation import MAX_ATTEMPT, Code

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_BOOLEAN: Schema = {"type": "boolean"}
_STRING: Schema = {"type": "string"}
_MAYBE_STRING: Schema = {"type": "string", "nullable": True}
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Schema = {**_TIME, "nullable": True}
_FREE: Schema = {"type": "object", "additionalProperties": True}
_COUNTS: Schema = {"type": "object", "additionalProperties": _INTEGER}


def _object(properties: Schema, required: Sequence[str] | None = None) -> Schema:
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {})


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _words(words: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(words)}


_CATEGORY = _words([category.value for category in Category])
_CODE = _words([code.value for code in Code])
_STATUS = _words(list(QuarantinedLine.Status.values))
_NEW_RUN = {
    **_object(
        {
            "run_id": _STRING,
            "task_id": _STRING,
            "category": _CATEGORY,
            "scored_at": _TIME,
            "source": _STRING,
            "prompt": _STRING,
            "response": _STRING,
            "messages": _list(_object({"role": _words(["system", "user", "assistant"]), "content": _STRING})),
            "schema_version": {"type": "integer", "enum": [1]},
            "attempt": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPT, "default": 1},
            "score": {"type": "number", "minimum": 0, "maximum": 1, "nullable": True},
            "scorer": _object({"name": _STRING, "version": _STRING}, []),
            "model": _STRING,
            "context": _STRING,
            "system": _STRING,
            "tags": _list(_STRING),
        },
        ["run_id", "task_id", "category", "scored_at", "source"],
    ),
    "additionalProperties": True,
    "description": "prompt and response, or messages; docs/how-to/bring-in-scored-runs.md has the rules.",
}
_RUN_FIELDS: Schema = {
    "run_id": _STRING,
    "task_id": _STRING,
    "attempt": _INTEGER,
    "category": _CATEGORY,
    "source": _STRING,
    "scored_at": _TIME,
    "score": {**_NUMBER, "nullable": True},
    "scorer_name": _STRING,
    "scorer_version": _STRING,
    "model": _STRING,
    "is_disputed": _BOOLEAN,
    "content_sha256": _STRING,
    "prompt_characters": _INTEGER,
    "response_characters": _INTEGER,
    "line": _INTEGER,
    "ingested_at": _TIME,
    "file": _STRING,
}
_DECISION = _object(
    {
        **dict.fromkeys(("export_id", "kind", "export_status", "outcome", "split", "group"), _STRING),
        "evidence": _FREE,
    }
)
_PLACE: Schema = {
    "id": _INTEGER,
    "code": _CODE,
    "message": _STRING,
    "line": _INTEGER,
    "quarantined_at": _TIME,
    "decided_at": _MAYBE_TIME,
    "decided_by": _STRING,
    "note": _STRING,
    "file": _STRING,
    "status": _STATUS,
}
_LINE = _object(
    {
        **_PLACE,
        "run_id": {**_STRING, "description": "Empty where the line has no valid one."},
        "size_bytes": _INTEGER,
        "sha256": _STRING,
        "raw": {**_STRING, "description": "The first 4,096 bytes; what is not UTF-8 is replaced."},
    }
)
_POSTED = _object(
    {
        "file": {**_STRING, "description": "What the body is called in lists."},
        "is_repeated": {**_BOOLEAN, "description": "The same body came before; nothing was changed."},
        **dict.fromkeys(
            ("lines", "blank", "incomplete_tail", "duplicate_identical", "quarantined", "ingested"), _INTEGER
        ),
        "faults": _list(
            _object({"line": _INTEGER, "code": _CODE, "message": _STRING, "run_id": _STRING, "id": _INTEGER})
        ),
    }
)
_DECIDED = _object(
    {
        "id": _INTEGER,
        "outcome": _words(["discarded", "ingested", "duplicate_identical", "replaced"]),
        "run_id": _STRING,
        "is_disputed": _BOOLEAN,
    }
)
_NOTE = _object({"note": {"type": "string", "maxLength": MAX_NOTE_CHARACTERS}}, [])
_STATS = _object(
    {
        "runs": _INTEGER,
        "disputed": _INTEGER,
        "by_category": _COUNTS,
        "by_source": _COUNTS,
        "by_scorer": _list(_object({"scorer_name": _STRING, "scorer_version": _STRING, "runs": _INTEGER})),
        "files": _INTEGER,
        "unfinished_files": _INTEGER,
        "lines": _INTEGER,
        "outcomes": _COUNTS,
        "quarantine": _list(_object({"code": _CODE, "status": _STATUS, "lines": _INTEGER})),
    }
)
_PROBLEM = _object(
    {
        **dict.fromkeys(("type", "title", "detail", "code", "request_id"), _STRING),
        "status": _INTEGER,
        "errors": _list(_object({"pointer": _STRING, "code": _STRING, "detail": _STRING})),
    },
    ["type", "title", "status", "detail", "code", "request_id"],
)


def _query(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


_PAGE = [
    _query("cursor", _STRING, "The value of next from the page before."),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}, "Entries a page."),
]

# operation: (summary, request body by media type, answer, query parameters)
CALLS: dict[str, tuple[str, Schema | None, Schema, list[OpenApiParameter]]] = {
    "scored_run_list": (
        "List scored runs",
        None,
        _object({"runs": _list(_object(_RUN_FIELDS)), "next": _MAYBE_STRING}),
        [
            _query("category", _CATEGORY, "Only runs of this category."),
            _query("source", _STRING, "Only runs of this source."),
            _query("task", _STRING, "Only runs of this task."),
            _query("scorer", _STRING, "Only runs of the scorer of this name."),
            _query("scorer_version", _STRING, "Only runs of this version of a scorer."),
            _query("from", _TIME, "Scored at this time or later."),
            _query("before", _TIME, "Scored before this time."),
            _query("disputed", _BOOLEAN, "Only runs whose id came with two contents, or only others."),
            *_PAGE,
        ],
    ),
    "scored_run_add": (
        "Bring in scored runs",
        {
            "application/json": _object({"runs": _list(_NEW_RUN)}),
            "application/x-ndjson": {"type": "string", "description": "One run a line."},
        },
        _POSTED,
        [],
    ),
    "scored_run_get": (
        "Get a scored run, and what became of it in each export",
        None,
        _object({**_RUN_FIELDS, "content": _FREE, "decisions": _list(_DECISION), "conflicts": _list(_object(_PLACE))}),
        [],
    ),
    "distillation_stats": ("Count runs, lines and quarantine", None, _STATS, []),
    "quarantine_list": (
        "List quarantined lines",
        None,
        _object({"lines": _list(_LINE), "next": _MAYBE_STRING}),
        [
            _query("status", _words([*QuarantinedLine.Status.values, "all"]), "Default: open."),
            _query("code", _CODE, "Only lines with this fault."),
            _query("run_id", _STRING, "Only lines with this run id."),
            *_PAGE,
        ],
    ),
    "quarantine_release": ("Take a quarantined line after all", {"application/json": _NOTE}, _DECIDED, []),
    "quarantine_discard": ("Leave a quarantined line out for good", {"application/json": _NOTE}, _DECIDED, []),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    summary, body, answer, parameters = CALLS[call]
    return extend_schema(
        operation_id=call,
        summary=summary,
        tags=["distillation"],
        parameters=parameters,
        request=body,
        responses={
            (200, "application/json"): OpenApiResponse(answer, "Done."),
            ("4XX", "application/problem+json"): OpenApiResponse(_PROBLEM, "A problem: what is wrong and what to do."),
        },
    )
