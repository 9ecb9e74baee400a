"""What the admin lets the worker do with monitors."""

from __future__ import annotations

from django_tasks import task

from drift.checks import check_monitor


@task()
def check(monitor_id: str) -> str:
    report = check_monitor(monitor_id=monitor_id)
    return f"{report.monitor.name}: {report.verdict} {report.error}".strip()
