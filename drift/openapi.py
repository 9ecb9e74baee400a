"""What the OpenAPI document says of each call."""

from __future__ import annotations

from collections.abc import Callable

from drift import monitor_fields
from drift.models import DriftAlert, DriftReport
from drift.psi import BUCKETS, MAX_BUCKETS, MIN_BUCKETS
from lakehouse_site import openapi_shapes
from lakehouse_site.openapi_shapes import (
    BOOLEAN,
    FREE,
    INTEGER,
    NUMBER,
    PAGES,
    STRING,
    TIME,
    UUID,
    Call,
    Method,
    Schema,
    closed,
    list_of,
    or_null,
    page_of,
    query,
    shape,
    within,
    words,
)

_MAYBE_TIME = or_null(TIME)
_VERDICTS: Schema = {"type": "object", "additionalProperties": STRING, "description": "Run id → category."}
_FIGURES: Schema = {"type": "object", "additionalProperties": or_null(NUMBER)}
_WORD = words(("NaN", "Infinity", "-Infinity"))
_VALUES: Schema = {
    **list_of({"oneOf": [or_null(NUMBER), _WORD]}),
    "description": "null, NaN and infinite values are dropped and counted.",
}
_ROWS = {
    **list_of(list_of({"oneOf": [or_null(NUMBER), _WORD]})),
    "description": "Rows that are not finite are dropped.",
}
_SECONDS = within(1, monitor_fields.MAX_SECONDS)
_TOLD: dict[str, Schema] = {
    "name": {"type": "string", "minLength": 1, "maxLength": monitor_fields.MAX_NAME},
    "target": words(monitor_fields.TARGETS),
    "selection": {
        **FREE,
        "description": "Of runs: source, scorer_name, scorer_version, model. Of an index: index. Of exports: kind.",
    },
    "reference": words(monitor_fields.REFERENCES),
    "reference_start": _MAYBE_TIME,
    "reference_end": _MAYBE_TIME,
    "reference_windows": within(1, 366, 7),
    "window_seconds": _SECONDS,
    "interval_seconds": {**_SECONDS, "description": "As window_seconds unless it is given."},
    "first_window_end": {**_MAYBE_TIME, "description": "Now unless it is given."},
    "parameters": {**FREE, "description": "buckets, binning, epsilon, alpha; rows, permutations; warn, alert."},
    "min_n": within(2, 10**9, 30),
    "consecutive": within(1, 100, 1),
    "cooldown_seconds": {**within(0, monitor_fields.MAX_SECONDS, 0)},
    "channels": {
        **list_of(closed(shape({"kind": words(monitor_fields.CHANNELS), "address": STRING}, ["kind"]))),
        "maxItems": monitor_fields.MAX_CHANNELS,
    },
    "is_active": {**BOOLEAN, "default": True},
}
_SECRET: Schema = {"type": "string", "writeOnly": True, "maxLength": 256}
_NEW_MONITOR = closed(shape({**_TOLD, "webhook_secret": _SECRET}, ["name", "target", "window_seconds"]))
_MONITOR_CHANGES = closed(shape({**_TOLD, "webhook_secret": _SECRET}, []))
_MONITOR = shape(
    {**_TOLD, "id": UUID, "has_webhook_secret": BOOLEAN, "last_window_end": _MAYBE_TIME, "created_at": TIME}
)
_REPORT = shape(
    {
        "id": INTEGER,
        "monitor": STRING,
        "monitor_id": UUID,
        "window_start": TIME,
        "window_end": TIME,
        "verdict": words(DriftReport.Verdict.values),
        "is_drift": BOOLEAN,
        "n_reference": INTEGER,
        "n_current": INTEGER,
        "metrics": list_of(FREE),
        "error": STRING,
        "seconds": NUMBER,
        "made_at": TIME,
    }
)
_ALERT = shape(
    {
        "id": UUID,
        "monitor": STRING,
        "monitor_id": UUID,
        "kind": words(DriftAlert.Kind.values),
        "state": words(DriftAlert.State.values),
        "summary": STRING,
        "is_quiet": BOOLEAN,
        "opened_at": TIME,
        "acknowledged_at": _MAYBE_TIME,
        "acknowledged_by": STRING,
        "note": STRING,
        "resolved_at": _MAYBE_TIME,
        "deliveries": list_of(FREE),
    }
)
_FREEZE = shape(
    {
        "id": INTEGER,
        "scorer_name": STRING,
        "scorer_version": STRING,
        "reason": STRING,
        "evidence": FREE,
        "frozen_at": TIME,
        "acknowledged_at": _MAYBE_TIME,
        "acknowledged_by": STRING,
        "note": STRING,
    }
)
_SEEN = closed(shape({"by": {**STRING, "minLength": 1}, "note": STRING}, ["by"]))
_VERDICT_PAIR = {"before": _VERDICTS, "after": _VERDICTS}
_SCORER_NAMES = {name: {**STRING, "maxLength": 256} for name in ("scorer_name", "scorer_version", "compared_with")}
_VERDICT_EXAMPLE = {
    "before": {"run-1": "accepted", "run-2": "rejected", "run-3": "accepted"},
    "after": {"run-1": "accepted", "run-2": "accepted", "run-3": "accepted"},
}
_DISTRIBUTION = closed(
    shape(
        {
            "reference": _VALUES,
            "current": _VALUES,
            "buckets": {**INTEGER, "default": BUCKETS, "description": f"Clamped to {MIN_BUCKETS} to {MAX_BUCKETS}."},
            "epsilon": {**NUMBER, "default": 1e-4},
            "binning": words(("equal_width", "quantile"), "equal_width"),
            "alpha": {**NUMBER, "default": 0.01},
        },
        ["reference", "current"],
    )
)
_AUDIT = closed(
    shape(
        {"baseline": _FIGURES, "current": _FIGURES, "directions": FREE, "warn": NUMBER, "alert": NUMBER},
        ["baseline", "current"],
    )
)
_EMBEDDING = closed(
    shape(
        {
            "reference": _ROWS,
            "current": _ROWS,
            "seed": within(0, 2**31),
            "max_rows": within(2, 2_000),
            "permutations": within(1, 999),
            "mmd": BOOLEAN,
            "drop_zero_rows": BOOLEAN,
        },
        ["reference", "current"],
    )
)
_OF_MONITOR = query("monitor", UUID, "Only of this monitor.")

_ROWS_EXAMPLE = {
    "reference": [[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [1.0, 0.1]],
    "current": [[0.0, 1.0], [0.1, 0.9], [0.2, 0.8], [0.1, 1.0]],
}
_MONITOR_EXAMPLE = {
    "name": "scores of the judge",
    "target": "scores",
    "selection": {"scorer_name": "judge"},
    "reference": "rolling",
    "reference_windows": 7,
    "window_seconds": 86400,
    "channels": [{"kind": "log"}],
}

CALLS: dict[str, Call] = {
    "drift_distribution": Call(
        "Compare two samples of a number",
        FREE,
        _DISTRIBUTION,
        example={"reference": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "current": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "buckets": 5},
    ),
    "drift_scorer": Call(
        "Compare two verdicts on the same runs", FREE, closed(shape(_VERDICT_PAIR)), example=_VERDICT_EXAMPLE
    ),
    "drift_audit": Call(
        "Compare key figures with a baseline",
        FREE,
        _AUDIT,
        example={"baseline": {"rows": 1000, "mean_score": 0.91}, "current": {"rows": 640, "mean_score": 0.9}},
    ),
    "drift_embedding": Call(
        "Compare two sets of vectors", FREE, _EMBEDDING, example={**_ROWS_EXAMPLE, "permutations": 99}
    ),
    "monitor_list": Call("List monitors", page_of(_MONITOR), parameters=PAGES),
    "monitor_create": Call("Create a monitor", _MONITOR, _NEW_MONITOR, 201, example=_MONITOR_EXAMPLE),
    "monitor_get": Call("Get a monitor", _MONITOR),
    "monitor_update": Call("Change a monitor", _MONITOR, _MONITOR_CHANGES, example={"consecutive": 2}),
    "monitor_delete": Call("Delete a monitor with its reports", None, status=204),
    "monitor_check": Call("Look at the latest window of a monitor", _REPORT),
    "report_list": Call(
        "List reports",
        page_of(_REPORT),
        parameters=[*PAGES, _OF_MONITOR, query("verdict", words(DriftReport.Verdict.values), "Only these.")],
    ),
    "alert_list": Call(
        "List alerts",
        page_of(_ALERT),
        parameters=[*PAGES, _OF_MONITOR, query("state", words(DriftAlert.State.values), "Only these.")],
    ),
    "alert_acknowledge": Call(
        "Acknowledge an alert", _ALERT, _SEEN, example={"by": "Ada", "note": "the new model answers shorter"}
    ),
    "drift_scorer_freeze": Call(
        "Compare two verdicts and freeze the scorer version if it calls for that",
        shape({"drift": FREE, "freeze": or_null(_FREEZE)}),
        closed(shape({**_VERDICT_PAIR, **_SCORER_NAMES}, ["before", "after", "scorer_name", "scorer_version"])),
        example={**_VERDICT_EXAMPLE, "scorer_name": "judge", "scorer_version": "2", "compared_with": "1"},
    ),
}


def describes(call: str) -> Callable[[Method], Method]:
    """Attach the description of a call to a view's method."""
    return openapi_shapes.describes(call, CALLS[call], "drift")
