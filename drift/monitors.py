"""Monitors as such: create, change, look up, delete."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from drift.errors import MonitorExists, MonitorNotFound
from drift.models import DriftMonitor, DriftReport
from drift.monitor_fields import FIELDS, MonitorFields, parse_monitor
from lakehouse_site.errors import InvalidInput
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

# Another answer to one of these is another comparison: what was kept to compare with is no longer right.
_COMPARED = ("target", "selection", "reference", "reference_start", "reference_end", "parameters")


def create_monitor(*, fields: MonitorFields) -> DriftMonitor:
    """Create a monitor. Its first window ends now, unless it was told when.

    Raises
    ------
    MonitorExists
        The name is taken.
    """
    now = timezone.now()
    facts = asdict(fields) | {"first_window_end": fields.first_window_end or now}

    monitor = _unless_taken(fields.name, lambda: DriftMonitor.objects.create(created_at=now, **facts))
    logger.info("monitor created", extra={"monitor": monitor.name, "target": monitor.target})
    return monitor


def update_monitor(*, monitor_id: str, changes: object) -> DriftMonitor:
    """Change some fields of a monitor; the secret stays unless it is among them.

    A reference that was kept is forgotten when something else is to be compared.

    Raises
    ------
    MonitorNotFound
        No monitor has this id.
    MonitorExists
        The new name is taken.
    InvalidInput
        With the changes it would not be a monitor.
    """
    if not isinstance(changes, dict):
        raise InvalidInput.at("", "object", "Expected an object with the fields to change.")

    def work() -> DriftMonitor:
        monitor = DriftMonitor.objects.select_for_update().filter(pk=monitor_key(monitor_id)).first()
        if monitor is None:
            raise MonitorNotFound(monitor_id)
        before = {name: getattr(monitor, name) for name in FIELDS}
        body = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in before.items()}
        if changes.get("target", monitor.target) != monitor.target:
            # What one target is told, another one may not know.
            body = {name: value for name, value in body.items() if name not in ("selection", "parameters")}
        fields = asdict(parse_monitor(body | changes))
        for name, value in fields.items():
            if name != "first_window_end" or value is not None:
                setattr(monitor, name, value)
        monitor.save(update_fields=list(FIELDS))
        if any(before[name] != fields[name] for name in _COMPARED):
            monitor.profiles.all().delete()
        return monitor

    return _unless_taken(str(changes.get("name", "")), work)


def _unless_taken(name: str, work: Callable[[], DriftMonitor]) -> DriftMonitor:
    try:
        return run_write(work)
    except IntegrityError as error:
        if DriftMonitor.objects.filter(name=name).exists():
            raise MonitorExists(name) from error
        raise


def delete_monitor(*, monitor_id: str) -> None:
    """Delete a monitor with its reports and alerts.

    Raises
    ------
    MonitorNotFound
        No monitor has this id.
    """
    monitor = get_monitor(monitor_id=monitor_id)
    run_write(lambda: DriftMonitor.objects.filter(pk=monitor.pk).delete())
    logger.info("monitor deleted", extra={"monitor": monitor.name})


def get_monitor(*, monitor_id: str) -> DriftMonitor:
    """Return the monitor with this id.

    Raises
    ------
    MonitorNotFound
        There is none.
    """
    monitor = DriftMonitor.objects.filter(pk=monitor_key(monitor_id)).first()
    if monitor is None:
        raise MonitorNotFound(monitor_id)
    return monitor


def monitor_key(monitor_id: str) -> UUID:
    """Return the key of an id, or raise MonitorNotFound for what can be none."""
    try:
        return UUID(monitor_id)
    except ValueError:
        raise MonitorNotFound(monitor_id) from None


def find_monitor(*, name: str) -> DriftMonitor:
    """Return the monitor with this name, or this id.

    Raises
    ------
    MonitorNotFound
        There is none.
    """
    monitor = DriftMonitor.objects.filter(name=name).first()
    return monitor or get_monitor(monitor_id=name)


def list_monitors() -> QuerySet[DriftMonitor]:
    """Return all monitors by name."""
    return DriftMonitor.objects.order_by("name")


def list_reports(*, monitor_id: str = "", verdict: str = "") -> QuerySet[DriftReport]:
    """Return reports, the latest window first."""
    found = DriftReport.objects.select_related("monitor").order_by("-window_end", "-pk")
    if monitor_id:
        found = found.filter(monitor_id=monitor_key(monitor_id))
    return found.filter(verdict=verdict) if verdict else found


def describe_monitor(monitor: DriftMonitor) -> dict[str, Any]:
    """Return what is told of a monitor; of its secret only whether it has one."""
    facts = {name: getattr(monitor, name) for name in ("id", *FIELDS, "last_window_end", "created_at")}
    del facts["webhook_secret"]
    return facts | {"has_webhook_secret": bool(monitor.webhook_secret)}


def describe_report(report: DriftReport) -> dict[str, Any]:
    """Return what is told of a report."""
    names = ("id", "window_start", "window_end", "verdict", "is_drift", "n_reference", "n_current", "metrics", "error")
    facts = {name: getattr(report, name) for name in (*names, "seconds", "made_at")}
    return {"monitor": report.monitor.name, "monitor_id": report.monitor_id} | facts
