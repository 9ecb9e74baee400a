"""Reports of drift as a table that other engines read: all of them as they are now, one row for each metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from catalog.own_table_types import Column, OwnTable, Written
from drift.models import DriftReport

PAGE_REPORTS = 500
REPORTS = OwnTable(
    "drift_reports",
    "What monitors found, window by window: one row for each metric, or one without a metric where none was measured.",
    (
        Column("report_id", "long", "Number of the report."),
        Column("monitor", "string", "Name of the monitor."),
        Column("monitor_id", "string", "Its id."),
        Column("target", "string", "What it watches."),
        Column("window_start", "timestamptz", "Begin of the window, included."),
        Column("window_end", "timestamptz", "End of the window, not included."),
        Column("report_verdict", "string", "stable, minor, major, insufficient_data, no_data or error."),
        Column("report_is_drift", "boolean", "Whether the report was worth an alert."),
        Column("error", "string", "Why the window could not be looked at, or empty."),
        Column("attempts", "int", "How often it was tried."),
        Column("made_at", "timestamptz", "When the report was made."),
        Column("metric", "string", "Name of the metric, or null."),
        Column("verdict", "string", "The tier of its change."),
        Column("is_drift", "boolean", "Whether it is large and not by chance."),
        Column("p_value", "double", "Of its test, or null."),
        Column("psi", "double", "Population stability index, or null where that is not its measure."),
        Column("n_reference", "long", "Values of the reference."),
        Column("n_current", "long", "Values of the window."),
        Column("result", "string", "All its measures, as JSON."),
    ),
)


def write_reports(*, is_dry_run: bool = False) -> list[Written]:
    """Write `lakehouse.drift_reports` if there is anything in the reports that it does not have.

    Raises
    ------
    CommitFailed, CommitStateUnknown, BadCatalogRequest, AlreadyExists
        As of `catalog.own_tables.replace_rows`.
    """
    # pyiceberg takes a second to import, and most processes never need it.
    from catalog.own_tables import replace_rows, whole_state

    return [replace_rows(table=REPORTS, source=whole_state(REPORTS, _rows), is_dry_run=is_dry_run)]


def _rows() -> Iterator[tuple[Any, ...]]:
    for report in DriftReport.objects.select_related("monitor").order_by("pk").iterator(PAGE_REPORTS):
        facts = (
            report.pk, report.monitor.name, str(report.monitor_id), report.monitor.target, report.window_start,
            report.window_end, report.verdict, report.is_drift, report.error, report.attempts, report.made_at,
        )  # fmt: skip
        for metric in report.metrics or [{}]:
            yield facts + _metric(metric)


def _metric(metric: Mapping[str, Any]) -> tuple[Any, ...]:
    result = metric.get("result")
    names = ("name", "verdict", "is_drift")
    numbers = (_float(metric.get("p_value")), _float((result or {}).get("psi")))
    counts = (metric.get("n_reference"), metric.get("n_current"))
    text = None if result is None else orjson.dumps(result, option=orjson.OPT_SORT_KEYS).decode()
    return (*(metric.get(name) for name in names), *numbers, *counts, text)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
