"""What the OpenAPI document says of each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from drift import monitor_fields
from drift.models import DriftAlert, DriftReport

Schema = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_BOOLEAN: Schema = {"type": "boolean"}
_STRING: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time", "nullable": True}
_OBJECT: Schema = {"type": "object", "additionalProperties": True}
_VERDICTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}, "description": "Run id → category."}
_FIGURES: Schema = {"type": "object", "additionalProperties": {"type": "number", "nullable": True}}
_ROWS: Schema = {"type": "array", "items": {"type": "array", "items": _NUMBER}}
_WORD: Schema = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
_VALUES: Schema = {
    "type": "array",
    "items": {
        "oneOf": [{"type": "number", "nullable": True}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]
    },
    "description": "null, NaN and infinite values are dropped and counted.",
}


def _object(properties: Schema, required: Sequence[str] = ()) -> Schema:
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def _page(item: Schema) -> Schema:
    link = {"type": "string", "format": "uri", "nullable": True}
    return _object({"count": _INTEGER, "next": link, "previous": link, "results": {"type": "array", "items": item}})


_MONITOR_IN = _object(
    {
        "name": {"type": "string", "maxLength": monitor_fields.MAX_NAME},
        "target": {"type": "string", "enum": list(monitor_fields.TARGETS)},
        "selection": {
            **_OBJECT,
            "description": "Of runs: source, scorer_name, scorer_version, model. Of an index: index. Of exports: kind.",
        },
        "reference": {"type": "string", "enum": list(monitor_fields.REFERENCES)},
        "reference_start": _TIME,
        "reference_end": _TIME,
        "reference_windows": {**_INTEGER, "default": 7},
        "window_seconds": _INTEGER,
        "interval_seconds": {**_INTEGER, "description": "As window_seconds unless it is given."},
        "first_window_end": {**_TIME, "description": "Now unless it is given."},
        "parameters": {**_OBJECT, "description": "buckets, binning, epsilon, alpha; rows, permutations; warn, alert."},
        "min_n": {**_INTEGER, "default": 30},
        "consecutive": {**_INTEGER, "default": 1},
        "cooldown_seconds": {**_INTEGER, "default": 0},
        "channels": {
            "type": "array",
            "items": _object(
                {"kind": {"type": "string", "enum": list(monitor_fields.CHANNELS)}, "address": _STRING}, ["kind"]
            ),
        },
        "webhook_secret": {"type": "string", "writeOnly": True},
        "is_active": {**_BOOLEAN, "default": True},
    }
)
_MONITOR = _object(
    {name: schema for name, schema in _MONITOR_IN["properties"].items() if name != "webhook_secret"}
    | {
        "id": {"type": "string", "format": "uuid"},
        "has_webhook_secret": _BOOLEAN,
        "last_window_end": _TIME,
        "created_at": _TIME,
    }
)
_REPORT = _object(
    {
        "id": _INTEGER,
        "monitor": _STRING,
        "monitor_id": {"type": "string", "format": "uuid"},
        "window_start": _TIME,
        "window_end": _TIME,
        "verdict": {"type": "string", "enum": list(DriftReport.Verdict.values)},
        "is_drift": _BOOLEAN,
        "n_reference": _INTEGER,
        "n_current": _INTEGER,
        "metrics": {"type": "array", "items": _OBJECT},
        "error": _STRING,
        "seconds": _NUMBER,
        "made_at": _TIME,
    }
)
_ALERT = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "monitor": _STRING,
        "monitor_id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string", "enum": list(DriftAlert.Kind.values)},
        "state": {"type": "string", "enum": list(DriftAlert.State.values)},
        "summary": _STRING,
        "is_quiet": _BOOLEAN,
        "opened_at": _TIME,
        "acknowledged_at": _TIME,
        "acknowledged_by": _STRING,
        "note": _STRING,
        "resolved_at": _TIME,
        "deliveries": {"type": "array", "items": _OBJECT},
    }
)
_FREEZE = _object(
    {
        "id": _INTEGER,
        "scorer_name": _STRING,
        "scorer_version": _STRING,
        "reason": _STRING,
        "evidence": _OBJECT,
        "frozen_at": _TIME,
        "acknowledged_at": _TIME,
        "acknowledged_by": _STRING,
        "note": _STRING,
    }
)
_SEEN = _object({"by": _STRING, "note": _STRING}, ["by"])
_SCORER = {"before": _VERDICTS, "after": _VERDICTS}
_SCORER_NAMES = dict.fromkeys(("scorer_name", "scorer_version", "compared_with"), _STRING)
_PAGES = [
    OpenApiParameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}, description="A page."
    ),
    OpenApiParameter("offset", {"type": "integer", "minimum": 0, "default": 0}, description="To pass over."),
]


def _choice(name: str, values: Sequence[str]) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string", "enum": list(values)}, description="Only these.")


_OF_MONITOR = OpenApiParameter("monitor", {"type": "string", "format": "uuid"}, description="Only of this monitor.")
_SIDES = ("reference", "current")
Call = tuple[str, Schema | None, int, Schema | None, list[OpenApiParameter]]

CALLS: dict[str, Call] = {
    "drift_distribution": (
        "Compare two samples of a number",
        _object(
            {
                "reference": _VALUES,
                "current": _VALUES,
                "buckets": {**_INTEGER, "default": 10},
                "epsilon": {**_NUMBER, "default": 1e-4},
                "binning": {"type": "string", "enum": ["equal_width", "quantile"]},
                "alpha": {**_NUMBER, "default": 0.01},
            },
            _SIDES,
        ),
        200,
        _OBJECT,
        [],
    ),
    "drift_scorer": ("Compare two verdicts on the same runs", _object(_SCORER, ["before", "after"]), 200, _OBJECT, []),
    "drift_audit": (
        "Compare key figures with a baseline",
        _object(
            {"baseline": _FIGURES, "current": _FIGURES, "directions": _OBJECT, "warn": _NUMBER, "alert": _NUMBER},
            ["baseline", "current"],
        ),
        200,
        _OBJECT,
        [],
    ),
    "drift_embedding": (
        "Compare two sets of vectors",
        _object(
            {
                "reference": _ROWS,
                "current": _ROWS,
                "seed": _INTEGER,
                "max_rows": {**_INTEGER, "maximum": 2_000},
                "permutations": {**_INTEGER, "maximum": 999},
                "mmd": _BOOLEAN,
                "drop_zero_rows": _BOOLEAN,
            },
            _SIDES,
        ),
        200,
        _OBJECT,
        [],
    ),
    "monitor_list": ("List monitors", None, 200, _page(_MONITOR), _PAGES),
    "monitor_create": (
        "Create a monitor",
        {**_MONITOR_IN, "required": ["name", "target", "window_seconds"]},
        201,
        _MONITOR,
        [],
    ),
    "monitor_get": ("Get a monitor", None, 200, _MONITOR, []),
    "monitor_update": ("Change a monitor", _MONITOR_IN, 200, _MONITOR, []),
    "monitor_delete": ("Delete a monitor with its reports", None, 204, None, []),
    "monitor_check": ("Look at the latest window of a monitor", None, 200, _REPORT, []),
    "report_list": (
        "List reports",
        None,
        200,
        _page(_REPORT),
        [*_PAGES, _OF_MONITOR, _choice("verdict", DriftReport.Verdict.values)],
    ),
    "alert_list": (
        "List alerts",
        None,
        200,
        _page(_ALERT),
        [*_PAGES, _OF_MONITOR, _choice("state", DriftAlert.State.values)],
    ),
    "alert_acknowledge": ("Acknowledge an alert", _SEEN, 200, _ALERT, []),
    "drift_scorer_freeze": (
        "Compare two verdicts and freeze the scorer version if it calls for that",
        _object({**_SCORER, **_SCORER_NAMES}, ["before", "after", "scorer_name", "scorer_version"]),
        200,
        _object({"drift": _OBJECT, "freeze": {**_FREEZE, "nullable": True}}),
        [],
    ),
}
_PROBLEM = _object(
    dict.fromkeys(("type", "title", "detail", "code", "request_id"), _STRING)
    | {
        "status": _INTEGER,
        "errors": {
            "type": "array",
            "items": _object(dict.fromkeys(("pointer", "code", "detail"), _STRING)),
        },
    }
)


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    summary, body, status, answer, parameters = CALLS[call]
    problem = OpenApiResponse(_PROBLEM, "A problem: what is wrong and what to do.")
    return extend_schema(
        operation_id=call,
        summary=summary,
        tags=["drift"],
        parameters=parameters,
        request=None if body is None else {"application/json": body},
        responses={
            (status, "application/json") if answer else status: OpenApiResponse(answer, "Done."),
            ("4XX", "application/problem+json"): problem,
        },
    )
