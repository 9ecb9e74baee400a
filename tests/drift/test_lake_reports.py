"""Reports of drift as a table: all of them as they are now, one row for each metric."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from drift.checks import check_due
from drift.lake_reports import write_reports
from drift.models import DriftReport
from drift.monitors import delete_monitor
from tests.catalog.own_rows import rows_of
from tests.drift.runs import add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)


def looked_at(days: int = 6) -> None:
    """A monitor of several metrics that has looked at three windows, of which the last one drifts."""
    for number in range(days):
        add_runs([0.8, 0.9] * 50 if number == days - 1 else [0.1, 0.2] * 50, day(number))
    make_monitor(target="runs")
    check_due(now=day(days))


def test_every_metric_of_every_report_is_a_row() -> None:
    looked_at()

    write_reports()

    rows = rows_of("drift_reports").to_pylist()
    found = {(row["report_id"], row["metric"]): row for row in rows}
    reports = list(DriftReport.objects.all())
    assert len(reports) == 3
    assert len(rows) == len(found) == sum(len(report.metrics) for report in reports)
    for report in reports:
        for metric in report.metrics:
            row = found[report.pk, metric["name"]]
            assert (row["monitor"], row["window_end"], row["made_at"]) == ("watch", report.window_end, report.made_at)
            assert (row["report_verdict"], row["report_is_drift"]) == (report.verdict, report.is_drift)
            assert (row["verdict"], row["is_drift"], row["p_value"]) == tuple(
                metric[name] for name in ("verdict", "is_drift", "p_value")
            )
            assert (row["n_reference"], row["n_current"]) == (metric["n_reference"], metric["n_current"])
            assert json.loads(row["result"]) == metric["result"]
            assert row["psi"] == metric["result"].get("psi")
    assert any(row["psi"] is not None and row["is_drift"] for row in rows)


def test_a_report_without_a_metric_is_a_row_too() -> None:
    make_monitor()
    check_due(now=day(4))

    write_reports()

    rows = rows_of("drift_reports").to_pylist()
    assert [(row["report_verdict"], row["n_current"]) for row in rows] == [("no_data", 0)] * len(rows)
    assert rows


def test_the_table_follows_the_reports() -> None:
    empty = write_reports()
    looked_at()
    full, again = write_reports(), write_reports()
    report = DriftReport.objects.latest("pk")
    report.verdict, report.metrics, report.error = "error", [], "the disk was full"
    report.save()
    changed = write_reports()
    shown = [row for row in rows_of("drift_reports").to_pylist() if row["report_id"] == report.pk]
    delete_monitor(monitor_id=str(report.monitor_id))
    gone = write_reports()

    assert [(one.is_changed) for (one,) in (empty, full, again, changed, gone)] == [True, True, False, True, True]
    assert [(row["report_verdict"], row["metric"], row["error"]) for row in shown] == [
        ("error", None, "the disk was full")
    ]
    assert rows_of("drift_reports").num_rows == 0


def test_the_command_tells_what_it_would_write(capsys: pytest.CaptureFixture[str]) -> None:
    looked_at()

    call_command("lake_drift", "--dry-run", "--json")

    (found,) = json.loads(capsys.readouterr().out)["tables"]
    assert found["table"] == "lakehouse.drift_reports"
    assert found["rows"] == sum(len(report.metrics) for report in DriftReport.objects.all())
