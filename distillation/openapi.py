"""What the OpenAPI document says of scored runs and of quarantine."""

from __future__ import annotations

from collections.abc import Callable

from distillation.firewall import Category
from distillation.models import QuarantinedLine
from distillation.quarantine import MAX_NOTE_CHARACTERS
from distillation.runs import MAX_PAGE
from distillation.validation import MAX_ATTEMPT, Code
from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    COUNTS,
    FREE,
    INTEGER,
    NUMBER,
    STRING,
    TIME,
    Call,
    Method,
    Schema,
    body_of,
    list_of,
    or_null,
    query,
    shape,
    within,
    words,
)

_CATEGORY = words([category.value for category in Category])
_CODE = words([code.value for code in Code])
_STATUS = words(list(QuarantinedLine.Status.values))
_NEW_RUN = {
    **shape(
        {
            "run_id": STRING,
            "task_id": STRING,
            "category": _CATEGORY,
            "scored_at": TIME,
            "source": STRING,
            "prompt": STRING,
            "response": STRING,
            "messages": list_of(shape({"role": words(["system", "user", "assistant"]), "content": STRING})),
            "schema_version": {"type": "integer", "enum": [1]},
            "attempt": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPT, "default": 1},
            "score": {"type": "number", "minimum": 0, "maximum": 1, "nullable": True},
            "scorer": shape({"name": STRING, "version": STRING}, []),
            "model": STRING,
            "context": STRING,
            "system": STRING,
            "tags": list_of(STRING),
        },
        ["run_id", "task_id", "category", "scored_at", "source"],
    ),
    "additionalProperties": True,
    "description": "prompt and response, or messages; docs/how-to/bring-in-scored-runs.md has the rules.",
}
_RUN_FIELDS: Schema = {
    "run_id": STRING,
    "task_id": STRING,
    "attempt": INTEGER,
    "category": _CATEGORY,
    "source": STRING,
    "scored_at": TIME,
    "score": {**NUMBER, "nullable": True},
    "scorer_name": STRING,
    "scorer_version": STRING,
    "model": STRING,
    "is_disputed": BOOLEAN,
    "content_sha256": STRING,
    "prompt_characters": INTEGER,
    "response_characters": INTEGER,
    "line": INTEGER,
    "ingested_at": TIME,
    "file": STRING,
}
_DECISION = shape(
    {
        **dict.fromkeys(("export_id", "kind", "export_status", "outcome", "split", "group"), STRING),
        "evidence": FREE,
    }
)
_PLACE: Schema = {
    "id": INTEGER,
    "code": _CODE,
    "message": STRING,
    "line": INTEGER,
    "quarantined_at": TIME,
    "decided_at": or_null(TIME),
    "decided_by": STRING,
    "note": STRING,
    "file": STRING,
    "status": _STATUS,
}
_LINE = shape(
    {
        **_PLACE,
        "run_id": {**STRING, "description": "Empty where the line has no valid one."},
        "size_bytes": INTEGER,
        "sha256": STRING,
        "raw": {**STRING, "description": "The first 4,096 bytes; what is not UTF-8 is replaced."},
    }
)
_POSTED = shape(
    {
        "file": {**STRING, "description": "What the body is called in lists."},
        "is_repeated": {**BOOLEAN, "description": "The same body came before; nothing was changed."},
        **dict.fromkeys(
            ("lines", "blank", "incomplete_tail", "duplicate_identical", "quarantined", "ingested"), INTEGER
        ),
        "faults": list_of(shape({"line": INTEGER, "code": _CODE, "message": STRING, "run_id": STRING, "id": INTEGER})),
    }
)
_DECIDED = shape(
    {
        "id": INTEGER,
        "outcome": words(["discarded", "ingested", "duplicate_identical", "replaced"]),
        "run_id": STRING,
        "is_disputed": BOOLEAN,
    }
)
_NOTE = body_of({"note": {"type": "string", "maxLength": MAX_NOTE_CHARACTERS}})
_RUN_EXAMPLE = {
    "run_id": "example-1",
    "task_id": "task-1",
    "category": "accepted",
    "score": 0.9,
    "scorer": {"name": "judge", "version": "1"},
    "scored_at": "2026-03-01T20:15:12Z",
    "source": "code.review",
    "prompt": "What does `git status` show?",
    "response": "What differs between the working tree, the index and HEAD.",
}
_STATS = shape(
    {
        "runs": INTEGER,
        "disputed": INTEGER,
        "by_category": COUNTS,
        "by_source": COUNTS,
        "by_scorer": list_of(shape({"scorer_name": STRING, "scorer_version": STRING, "runs": INTEGER})),
        "files": INTEGER,
        "unfinished_files": INTEGER,
        "lines": INTEGER,
        "outcomes": COUNTS,
        "quarantine": list_of(shape({"code": _CODE, "status": _STATUS, "lines": INTEGER})),
    }
)
_PAGE = [
    query("cursor", STRING, "The value of next from the page before."),
    query("limit", within(1, MAX_PAGE, 100), "Entries a page."),
]

CALLS: dict[str, Call] = {
    "scored_run_list": Call(
        "List scored runs",
        shape({"runs": list_of(shape(_RUN_FIELDS)), "next": or_null(STRING)}),
        parameters=[
            query("category", _CATEGORY, "Only runs of this category."),
            query("source", STRING, "Only runs of this source."),
            query("task", STRING, "Only runs of this task."),
            query("scorer", STRING, "Only runs of the scorer of this name."),
            query("scorer_version", STRING, "Only runs of this version of a scorer."),
            query("from", TIME, "Scored at this time or later."),
            query("before", TIME, "Scored before this time."),
            query("disputed", BOOLEAN, "Only runs whose id came with two contents, or only others."),
            *_PAGE,
        ],
    ),
    "scored_run_add": Call(
        "Bring in scored runs",
        _POSTED,
        body_of({"runs": list_of(_NEW_RUN)}, ["runs"]),
        example={"runs": [_RUN_EXAMPLE]},
        other_bodies={"application/x-ndjson": {"type": "string", "description": "One run a line."}},
    ),
    "scored_run_get": Call(
        "Get a scored run, and what became of it in each export",
        shape({**_RUN_FIELDS, "content": FREE, "decisions": list_of(_DECISION), "conflicts": list_of(shape(_PLACE))}),
    ),
    "distillation_stats": Call("Count runs, lines and quarantine", _STATS),
    "quarantine_list": Call(
        "List quarantined lines",
        shape({"lines": list_of(_LINE), "next": or_null(STRING)}),
        parameters=[
            query("status", words([*QuarantinedLine.Status.values, "all"]), "Default: open."),
            query("code", _CODE, "Only lines with this fault."),
            query("run_id", STRING, "Only lines with this run id."),
            *_PAGE,
        ],
    ),
    "quarantine_release": Call(
        "Take a quarantined line after all", _DECIDED, _NOTE, example={"note": "the scorer was right the second time"}
    ),
    "quarantine_discard": Call(
        "Leave a quarantined line out for good", _DECIDED, _NOTE, example={"note": "the file was cut off"}
    ),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], "distillation")
