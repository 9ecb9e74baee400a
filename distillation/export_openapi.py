"""What the OpenAPI document says of exports, evaluation sets, recall notices and freezes."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import OpenApiResponse, extend_schema

from distillation.export_reads import CONTENT_TYPES, MAX_PAGE
from distillation.export_request import ATTEMPTS, DEFAULT_SPLIT, KINDS
from distillation.formats import Format
from distillation.models import Export
from distillation.pipeline_types import Outcome
from distillation.row_files import FileType
from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    COUNTS,
    FREE,
    INTEGER,
    PAGES,
    STRING,
    TIME,
    UUID,
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

_NEW_EXPORT = body_of(
    {
        "kind": words(KINDS, "sft"),
        "format": words([name.value for name in Format]),
        "file_type": words([name.value for name in FileType], "jsonl"),
        "include_partial": {"type": "boolean", "default": False},
        "attempts": words(ATTEMPTS, "best"),
        "split": {"type": "string", "default": DEFAULT_SPLIT, "description": "Percent: train/validation/test."},
        "dry_run": {
            "type": "boolean",
            "default": False,
            "description": "Only say what would be exported; status 200.",
        },
    },
)
_RESULT = shape(
    {
        "export_id": STRING,
        "kind": words(KINDS),
        "format": STRING,
        "file_type": STRING,
        "is_new": {"type": "boolean", "description": "False where the same input was exported before."},
        "is_dry_run": BOOLEAN,
        "rows": INTEGER,
        "splits": COUNTS,
        "stages": list_of(shape({"name": STRING, "runs_in": INTEGER, "runs_out": INTEGER, "outcomes": COUNTS})),
        "outcomes": COUNTS,
        "redactions": COUNTS,
        "audit": or_null(FREE),
        "recall_notices": INTEGER,
    }
)
_INFO_FIELDS: Schema = {
    "export_id": STRING,
    "kind": words(KINDS),
    "format": STRING,
    "file_type": STRING,
    "status": words(Export.Status.values),
    "rows": INTEGER,
    "splits": COUNTS,
    "files": list_of(STRING),
    "open_recall_notices": INTEGER,
    "error": STRING,
    "started_at": TIME,
    "finished_at": or_null(TIME),
}
_DECISION = {
    **shape(
        {
            "run_id": STRING,
            "file": STRING,
            "line": INTEGER,
            "outcome": words([outcome.value for outcome in Outcome]),
            "split": or_null(STRING),
            "group": or_null(STRING),
        }
    ),
    "additionalProperties": True,
}
_EVAL_SET = shape({"name": STRING, "sha256": STRING, "items": INTEGER, "is_active": BOOLEAN, "created_at": TIME})
_ITEM = shape({"id": STRING, "prompt": STRING, "answer": STRING, "canary": STRING}, ["id", "prompt"])
_NOTICE = shape(
    {
        "id": UUID,
        "export_id": STRING,
        "run_id": STRING,
        "reason": STRING,
        "created_at": TIME,
        "acknowledged_at": or_null(TIME),
        "acknowledged_by": STRING,
    }
)
FREEZE_FIELDS: Schema = {
    "id": INTEGER,
    "scorer_name": STRING,
    "scorer_version": STRING,
    "reason": STRING,
    "evidence": FREE,
    "frozen_at": TIME,
    "acknowledged_at": or_null(TIME),
    "acknowledged_by": STRING,
    "note": STRING,
}
_EVAL_SET_EXAMPLE = {
    "name": "holdout",
    "items": [{"id": "q1", "prompt": "How many moons does Mars have?", "answer": "Two: Phobos and Deimos."}],
}

CALLS: dict[str, Call] = {
    "export_list": Call("List exports", page_of(shape(_INFO_FIELDS)), parameters=PAGES),
    "export_create": Call(
        "Export a training set",
        _RESULT,
        _NEW_EXPORT,
        201,
        example={"kind": "sft", "format": "messages"},
        other_status=200,
    ),
    "export_get": Call(
        "Get an export with its manifest and audit table",
        shape({**_INFO_FIELDS, "manifest": or_null(FREE), "key_figures": FREE, "audit": or_null(FREE)}),
    ),
    "export_decisions": Call(
        "What became of each run in an export",
        shape({"decisions": list_of(_DECISION), "next": or_null(STRING)}),
        parameters=[
            query("outcome", words([outcome.value for outcome in Outcome]), "Only decisions of this outcome."),
            query("cursor", STRING, "The value of next from the page before."),
            query("limit", within(1, MAX_PAGE, 100), "Entries a page."),
        ],
    ),
    "recall_notice_list": Call(
        "List recall notices",
        page_of(_NOTICE),
        parameters=[query("open", BOOLEAN, "Only those nobody has acknowledged."), *PAGES],
    ),
    "recall_notice_acknowledge": Call("Acknowledge a recall notice", _NOTICE),
    "eval_set_list": Call("List evaluation sets", shape({"results": list_of(_EVAL_SET)})),
    "eval_set_create": Call(
        "Keep every export clean of an evaluation set",
        _EVAL_SET,
        body_of({"name": STRING, "items": list_of(_ITEM)}, ["name", "items"]),
        201,
        example=_EVAL_SET_EXAMPLE,
    ),
    "freeze_list": Call("List frozen scorers", page_of(shape(FREEZE_FIELDS)), parameters=PAGES),
    "freeze_acknowledge": Call(
        "Let exports take the runs of a frozen scorer again",
        shape(FREEZE_FIELDS),
        body_of({"by": {**STRING, "description": "Who has looked; default: the caller."}, "note": STRING}),
        example={"by": "Ada", "note": "looked at all twelve"},
    ),
    "eval_set_retire": Call("Let exports use an evaluation set no longer", _EVAL_SET),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], "distillation")


describes_file = extend_schema(
    operation_id="export_file",
    summary="Download a file of a complete export",
    tags=["distillation"],
    responses={
        (200, media_type): OpenApiResponse({"type": "string", "format": "binary"}, "The file.")
        for media_type in sorted(set(CONTENT_TYPES.values()))
    },
)
