"""What the OpenAPI document says of exports, evaluation sets, recall notices and freezes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from distillation.export_reads import MAX_PAGE
from distillation.export_request import ATTEMPTS, DEFAULT_SPLIT, KINDS
from distillation.formats import Format
from distillation.models import Export
from distillation.pipeline_types import Outcome
from distillation.row_files import FileType

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_INTEGER: Schema = {"type": "integer"}
_BOOLEAN: Schema = {"type": "boolean"}
_STRING: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Schema = {**_TIME, "nullable": True}
_FREE: Schema = {"type": "object", "additionalProperties": True}
_COUNTS: Schema = {"type": "object", "additionalProperties": _INTEGER}


def _object(properties: Schema, required: Sequence[str] | None = None) -> Schema:
    needed = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {})


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _words(words: Sequence[str], default: str | None = None) -> Schema:
    schema: Schema = {"type": "string", "enum": list(words)}
    return schema if default is None else {**schema, "default": default}


def _page(item: Schema) -> Schema:
    uri: Schema = {"type": "string", "format": "uri", "nullable": True}
    return _object({"count": _INTEGER, "next": uri, "previous": uri, "results": _list(item)})


_NEW_EXPORT = _object(
    {
        "kind": _words(KINDS, "sft"),
        "format": _words([name.value for name in Format]),
        "file_type": _words([name.value for name in FileType], "jsonl"),
        "include_partial": {"type": "boolean", "default": False},
        "attempts": _words(ATTEMPTS, "best"),
        "split": {"type": "string", "default": DEFAULT_SPLIT, "description": "Percent: train/validation/test."},
        "dry_run": {"type": "boolean", "default": False, "description": "Only say what would be exported; status 200."},
    },
    [],
)
_RESULT = _object(
    {
        "export_id": _STRING,
        "kind": _words(KINDS),
        "format": _STRING,
        "file_type": _STRING,
        "is_new": {"type": "boolean", "description": "False where the same input was exported before."},
        "is_dry_run": _BOOLEAN,
        "rows": _INTEGER,
        "splits": _COUNTS,
        "stages": _list(_object({"name": _STRING, "runs_in": _INTEGER, "runs_out": _INTEGER, "outcomes": _COUNTS})),
        "outcomes": _COUNTS,
        "redactions": _COUNTS,
        "audit": {**_FREE, "nullable": True},
        "recall_notices": _INTEGER,
    }
)
_INFO_FIELDS: Schema = {
    "export_id": _STRING,
    "kind": _words(KINDS),
    "format": _STRING,
    "file_type": _STRING,
    "status": _words(Export.Status.values),
    "rows": _INTEGER,
    "splits": _COUNTS,
    "files": _list(_STRING),
    "open_recall_notices": _INTEGER,
    "error": _STRING,
    "started_at": _TIME,
    "finished_at": _MAYBE_TIME,
}
_DECISION = {
    **_object(
        {
            "run_id": _STRING,
            "file": _STRING,
            "line": _INTEGER,
            "outcome": _words([outcome.value for outcome in Outcome]),
            "split": {"type": "string", "nullable": True},
            "group": {"type": "string", "nullable": True},
        }
    ),
    "additionalProperties": True,
}
_EVAL_SET = _object({"name": _STRING, "sha256": _STRING, "items": _INTEGER, "is_active": _BOOLEAN, "created_at": _TIME})
_ITEM = _object({"id": _STRING, "prompt": _STRING, "answer": _STRING, "canary": _STRING}, ["id", "prompt"])
_NOTICE = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "export_id": _STRING,
        "run_id": _STRING,
        "reason": _STRING,
        "created_at": _TIME,
        "acknowledged_at": _MAYBE_TIME,
        "acknowledged_by": _STRING,
    }
)
FREEZE_FIELDS: Schema = {
    "id": _INTEGER,
    "scorer_name": _STRING,
    "scorer_version": _STRING,
    "reason": _STRING,
    "evidence": _FREE,
    "frozen_at": _TIME,
    "acknowledged_at": _MAYBE_TIME,
    "acknowledged_by": _STRING,
    "note": _STRING,
}
_PROBLEM = _object(
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


_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100}, "Entries a page.")
_OFFSET = _query("offset", {"type": "integer", "minimum": 0, "default": 0}, "Entries to pass over.")

# operation: (summary, request body, status, answer, query parameters)
CALLS: dict[str, tuple[str, Schema | None, int, Schema, list[OpenApiParameter]]] = {
    "export_list": ("List exports", None, 200, _page(_object(_INFO_FIELDS)), [_LIMIT, _OFFSET]),
    "export_create": ("Export a training set", _NEW_EXPORT, 201, _RESULT, []),
    "export_get": (
        "Get an export with its manifest and audit table",
        None,
        200,
        _object(
            {
                **_INFO_FIELDS,
                "manifest": {**_FREE, "nullable": True},
                "key_figures": _FREE,
                "audit": {**_FREE, "nullable": True},
            }
        ),
        [],
    ),
    "export_decisions": (
        "What became of each run in an export",
        None,
        200,
        _object({"decisions": _list(_DECISION), "next": {"type": "string", "nullable": True}}),
        [
            _query("outcome", _words([outcome.value for outcome in Outcome]), "Only decisions of this outcome."),
            _query("cursor", _STRING, "The value of next from the page before."),
            _LIMIT,
        ],
    ),
    "recall_notice_list": (
        "List recall notices",
        None,
        200,
        _page(_NOTICE),
        [_query("open", _BOOLEAN, "Only those nobody has acknowledged."), _LIMIT, _OFFSET],
    ),
    "recall_notice_acknowledge": ("Acknowledge a recall notice", None, 200, _NOTICE, []),
    "eval_set_list": ("List evaluation sets", None, 200, _object({"results": _list(_EVAL_SET)}), []),
    "eval_set_create": (
        "Keep every export clean of an evaluation set",
        _object({"name": _STRING, "items": _list(_ITEM)}),
        201,
        _EVAL_SET,
        [],
    ),
    "freeze_list": ("List frozen scorers", None, 200, _page(_object(FREEZE_FIELDS)), [_LIMIT, _OFFSET]),
    "freeze_acknowledge": (
        "Let exports take the runs of a frozen scorer again",
        _object({"by": {**_STRING, "description": "Who has looked; default: the caller."}, "note": _STRING}, []),
        200,
        _object(FREEZE_FIELDS),
        [],
    ),
    "eval_set_retire": ("Let exports use an evaluation set no longer", None, 200, _EVAL_SET, []),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    summary, body, status, answer, parameters = CALLS[call]
    return extend_schema(
        operation_id=call,
        summary=summary,
        tags=["distillation"],
        parameters=parameters,
        request=None if body is None else {"application/json": body},
        responses={
            (status, "application/json"): OpenApiResponse(answer, "Done."),
            ("4XX", "application/problem+json"): OpenApiResponse(_PROBLEM, "A problem: what is wrong and what to do."),
        },
    )


describes_file = extend_schema(
    operation_id="export_file",
    summary="Download a file of a complete export",
    tags=["distillation"],
    responses={
        (200, "application/octet-stream"): OpenApiResponse({"type": "string", "format": "binary"}, "The file."),
        ("4XX", "application/problem+json"): OpenApiResponse(_PROBLEM, "A problem: what is wrong and what to do."),
    },
)
