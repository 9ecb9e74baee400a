"""Alerts: raised by reports, acknowledged by people, closed by recovery."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from drift.deliveries import queue
from drift.errors import AlertNotFound
from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport
from lakehouse_site.errors import InvalidInput
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

JUDGED = (DriftReport.Verdict.STABLE, DriftReport.Verdict.MINOR, DriftReport.Verdict.MAJOR)
BLIND_WINDOWS = 2
"""So many windows in a row without enough data are an alert: nobody watches."""


def follow_up(monitor: DriftMonitor, report: DriftReport) -> None:
    """Open, keep or close the alerts of a monitor after its latest report; inside the transaction that stores it."""
    if monitor.reports.filter(window_end__gt=report.window_end).exists():
        return  # a window made up for late says nothing about now
    for kind, is_bad, is_well in (
        (DriftAlert.Kind.DRIFT, _drifts_on(monitor), report.verdict in JUDGED and not report.is_drift),
        (DriftAlert.Kind.NO_DATA, _is_blind(monitor), report.verdict in JUDGED),
        (
            DriftAlert.Kind.ERROR,
            report.verdict == DriftReport.Verdict.ERROR,
            report.verdict != DriftReport.Verdict.ERROR,
        ),
    ):
        standing = monitor.alerts.filter(kind=kind).exclude(state=DriftAlert.State.RESOLVED).first()
        if standing is not None and is_well:
            _resolve(standing, report)
        elif standing is not None and is_bad:
            standing.last_report = report
            standing.save(update_fields=["last_report"])
        elif standing is None and is_bad:
            _open(monitor, kind, report)


def _drifts_on(monitor: DriftMonitor) -> bool:
    latest = monitor.reports.filter(verdict__in=JUDGED).order_by("-window_end")[: monitor.consecutive]
    found = [report.is_drift for report in latest]
    return len(found) == monitor.consecutive and all(found)


def _is_blind(monitor: DriftMonitor) -> bool:
    latest = list(monitor.reports.exclude(verdict=DriftReport.Verdict.ERROR).order_by("-window_end")[:BLIND_WINDOWS])
    # Of an export its figures are counted: one that is there has enough of them.
    enough = 1 if monitor.target == DriftMonitor.Target.EXPORT_FIGURES else monitor.min_n
    return len(latest) == BLIND_WINDOWS and all(
        report.verdict not in JUDGED and report.n_current < enough for report in latest
    )


def _open(monitor: DriftMonitor, kind: DriftAlert.Kind, report: DriftReport) -> None:
    now = timezone.now()
    since = now - timedelta(seconds=monitor.cooldown_seconds)
    is_quiet = monitor.alerts.filter(kind=kind, is_quiet=False, opened_at__gt=since).exists()
    alert = DriftAlert.objects.create(
        monitor=monitor,
        kind=kind,
        summary=summary_of(monitor, kind, report),
        first_report=report,
        last_report=report,
        is_quiet=is_quiet,
        opened_at=now,
    )
    logger.info("alert opened", extra={"monitor": monitor.name, "kind": kind, "quiet": is_quiet})
    if not is_quiet:
        queue(monitor, alert, DriftDelivery.Event.OPENED, report)


def _resolve(alert: DriftAlert, report: DriftReport) -> None:
    alert.state, alert.resolved_at, alert.last_report = DriftAlert.State.RESOLVED, timezone.now(), report
    alert.save(update_fields=["state", "resolved_at", "last_report"])
    logger.info("alert resolved", extra={"monitor": alert.monitor.name, "kind": alert.kind})
    if not alert.is_quiet:
        queue(alert.monitor, alert, DriftDelivery.Event.RESOLVED, report)


def summary_of(monitor: DriftMonitor, kind: str, report: DriftReport) -> str:
    """Return one sentence for people."""
    if kind == DriftAlert.Kind.ERROR:
        return f"{monitor.name} could not be checked: {report.error}"
    if kind == DriftAlert.Kind.NO_DATA:
        return f"{monitor.name} has had too little data for {BLIND_WINDOWS} windows: {report.n_current} in the last."
    parts = []
    for metric in report.metrics:
        if metric["is_drift"]:
            psi = metric["result"].get("psi")
            parts.append(f"{metric['name']} {metric['verdict']}" + (f" (PSI {psi:.3f})" if psi is not None else ""))
    return f"{monitor.name} has drifted: {', '.join(parts)}."


def acknowledge_alert(*, alert_id: str, by: str, note: str = "") -> DriftAlert:
    """Note that a person has seen an alert; it stays until the monitor is well again.

    Raises
    ------
    AlertNotFound
        No alert has this id.
    InvalidInput
        Nobody is named.
    """
    if not by.strip():
        raise InvalidInput.at("/by", "required", "Say who has looked at it.")
    key = _key(alert_id)

    def work() -> DriftAlert:
        alert = DriftAlert.objects.select_for_update().filter(pk=key).first()
        if alert is None:
            raise AlertNotFound(alert_id)
        if alert.acknowledged_at is None:
            alert.acknowledged_at, alert.acknowledged_by, alert.note = timezone.now(), by.strip()[:256], note
            if alert.state == DriftAlert.State.OPEN:
                alert.state = DriftAlert.State.ACKNOWLEDGED
            alert.save(update_fields=["acknowledged_at", "acknowledged_by", "note", "state"])
        return alert

    return run_write(work)


def list_alerts(*, state: str = "", monitor_id: UUID | None = None) -> QuerySet[DriftAlert]:
    """Return alerts with their monitors, the latest first."""
    found = DriftAlert.objects.select_related("monitor").prefetch_related("deliveries").order_by("-opened_at")
    if monitor_id is not None:
        found = found.filter(monitor_id=monitor_id)
    return found.filter(state=state) if state else found


def _key(alert_id: str) -> UUID:
    try:
        return UUID(alert_id)
    except ValueError:
        raise AlertNotFound(alert_id) from None


def describe_alert(alert: DriftAlert) -> dict[str, Any]:
    """Return what is told of an alert, with the log of its deliveries."""
    names = ("id", "monitor_id", "kind", "state", "summary", "is_quiet", "opened_at")
    facts = {
        name: getattr(alert, name) for name in (*names, "acknowledged_at", "acknowledged_by", "note", "resolved_at")
    }
    told = ("event", "channel", "address", "state", "attempts", "last_error", "sent_at")
    deliveries = [{name: getattr(one, name) for name in told} for one in alert.deliveries.all()]
    return {"monitor": alert.monitor.name} | facts | {"deliveries": deliveries}
