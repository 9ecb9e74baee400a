"""Looking: one monitor at one window, or all monitors at all windows that are due."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from distillation.freezes import freeze_scorer
from drift.alerts import follow_up
from drift.errors import MonitorNotFound, WindowNotOver
from drift.looks import measure
from drift.measurements import Measurement, schedule_of
from drift.models import DriftMonitor, DriftReport
from drift.monitor_fields import SNAPSHOTS
from drift.monitors import get_monitor
from drift.windows import MAX_CATCH_UP, Window
from lakehouse_site.errors import LakehouseError
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

LEASE_SECONDS = 900
"""How long others leave a monitor alone whose checker was killed. A lease saves work; the constraint on reports is what
makes two checkers of one window agree."""
MAX_ATTEMPTS = 6
FIRST_WAIT = timedelta(minutes=1)
WAIT_FACTOR = 4


@dataclass(frozen=True, slots=True)
class DueResult:
    """What a round looked at."""

    reports: tuple[DriftReport, ...]
    left_out: int
    busy: tuple[str, ...]


def check_due(*, now: datetime | None = None) -> DueResult:
    """Look at every window that is over and not done, of all active monitors, the oldest first.

    A monitor that another process is at is left to it. After a pause at most `drift.windows.MAX_CATCH_UP` windows are
    made up for; of what has no past (an index, exports) only the latest. A window whose check failed is tried again by
    the next rounds, `MAX_ATTEMPTS` times in all; see `_failed`.
    """
    moment = now or timezone.now()
    reports: list[DriftReport] = []
    busy: list[str] = []
    left_out = 0
    for key in list(DriftMonitor.objects.filter(is_active=True).order_by("name").values_list("pk", flat=True)):
        monitor = DriftMonitor.objects.filter(pk=key, is_active=True).first()
        if monitor is None or not _due(monitor, moment)[0]:
            continue
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        _forget_dead_holder(monitor)
        if not _take(monitor, holder):
            busy.append(monitor.name)
            continue
        try:
            monitor.refresh_from_db()  # whoever had it until now may have done these windows
            windows, missed = _due(monitor, moment)
            left_out += missed
            if missed:
                logger.warning("windows left out", extra={"monitor": monitor.name, "windows": missed})
            for window in windows:
                reports.append(_check(monitor, window, is_due=True))
                _take(monitor, holder)
        except MonitorNotFound:
            continue  # it was deleted meanwhile
        finally:
            _give_back(monitor, holder)
    return DueResult(tuple(reports), left_out, tuple(busy))


def check_monitor(*, monitor_id: str, now: datetime | None = None) -> DriftReport:
    """Look at the latest window of a monitor that is over, or return the report that there is; an error is tried again.

    Raises
    ------
    MonitorNotFound
        No monitor has this id.
    WindowNotOver
        Its first window is not over.
    """
    monitor = get_monitor(monitor_id=monitor_id)
    window = schedule_of(monitor).latest(now or timezone.now())
    if window is None:
        raise WindowNotOver(monitor.name, monitor.first_window_end)
    return _check(monitor, window, is_due=False)


def _due(monitor: DriftMonitor, now: datetime) -> tuple[list[Window], int]:
    windows, missed = schedule_of(monitor).due(now, monitor.last_window_end)
    if monitor.target in SNAPSHOTS:
        windows, missed = windows[-1:], 0
    return [*_failed(monitor, windows), *windows], missed


def _failed(monitor: DriftMonitor, windows: list[Window]) -> list[Window]:
    """Return the windows to try again, the oldest first, beside those that are due.

    The first time at the next round, then after 3, 15, 63 and 255 minutes, or with the next window: before it, so that
    alerts follow the order of windows.
    """
    if monitor.last_window_end is None:
        return []
    errors = monitor.reports.filter(verdict=DriftReport.Verdict.ERROR, attempts__lt=MAX_ATTEMPTS)
    if monitor.target in SNAPSHOTS:
        # What there is now says nothing about a window before the last one.
        errors = errors.filter(window_end=monitor.last_window_end) if not windows else errors.none()
    latest = errors.filter(window_end__lte=monitor.last_window_end).order_by("-window_end")[:MAX_CATCH_UP]
    now = timezone.now()
    return [
        Window(report.window_start, report.window_end)
        for report in reversed(latest)
        if windows or now - report.made_at >= FIRST_WAIT * (WAIT_FACTOR ** (report.attempts - 1) - 1)
    ]


def _take(monitor: DriftMonitor, holder: str) -> bool:
    now = timezone.now()
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now) | Q(leased_by=holder)
    mine = DriftMonitor.objects.filter(free, pk=monitor.pk)
    return bool(run_write(lambda: mine.update(leased_by=holder, leased_until=now + timedelta(seconds=LEASE_SECONDS))))


def _forget_dead_holder(monitor: DriftMonitor) -> None:
    """Free a monitor whose checker was killed on this machine; of one elsewhere only the end of its lease tells."""
    host, _, rest = monitor.leased_by.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not rest.isdecimal():
        return
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        its = DriftMonitor.objects.filter(pk=monitor.pk, leased_by=monitor.leased_by)
        run_write(lambda: its.update(leased_by="", leased_until=None))
    except OSError:
        return  # somebody else's process


def _give_back(monitor: DriftMonitor, holder: str) -> None:
    mine = DriftMonitor.objects.filter(pk=monitor.pk, leased_by=holder)
    run_write(lambda: mine.update(leased_by="", leased_until=None))


def _check(monitor: DriftMonitor, window: Window, *, is_due: bool) -> DriftReport:
    known = _known(monitor, window)
    if known is not None:
        return _record(monitor, window, known, Measurement(()), is_due=is_due)
    started = time.monotonic()
    report = DriftReport(window_start=window.start, window_end=window.end)
    found = Measurement(())
    try:
        found = measure(monitor, window)
        # Before the report is there: killed in between, the next run finds and freezes the same, which is no change.
        for freeze in found.freezes:
            freeze_scorer(**freeze)
        report.verdict, report.is_drift = found.verdict, found.is_drift
        report.n_reference, report.n_current = found.n_reference, found.n_current
        report.metrics = [metric.to_dict() for metric in found.metrics]
    except Exception as error:
        logger.exception("check failed", extra={"monitor": monitor.name})
        detail = error.detail if isinstance(error, LakehouseError) else f"{type(error).__name__}: {error}"
        found = Measurement(())
        report.verdict, report.error = DriftReport.Verdict.ERROR, detail.replace("\0", "")
    report.seconds = time.monotonic() - started
    return _record(monitor, window, report, found, is_due=is_due)


def _known(monitor: DriftMonitor, window: Window) -> DriftReport | None:
    found = monitor.reports.filter(window_start=window.start, window_end=window.end)
    return found.exclude(verdict=DriftReport.Verdict.ERROR).first()


def _record(
    monitor: DriftMonitor, window: Window, report: DriftReport, found: Measurement, *, is_due: bool
) -> DriftReport:
    """Store a report, what it means for alerts, and how far the monitor is: all of it or nothing."""

    def work() -> DriftReport:
        # The lock puts two checkers in a row; the second one finds the report of the first.
        current = DriftMonitor.objects.select_for_update().filter(pk=monitor.pk).first()
        if current is None:
            raise MonitorNotFound(str(monitor.pk))
        stored = _known(current, window)
        if stored is None:
            stored = report
            old = current.reports.filter(window_start=window.start, window_end=window.end).first()
            stored.pk, stored._state.adding = (old.pk, False) if old else (None, True)
            stored.attempts = old.attempts + 1 if old else 1
            stored.monitor, stored.made_at = current, timezone.now()
            stored.save()
            for profile in found.profiles:
                facts = {name: getattr(profile, name) for name in _PROFILE_FACTS} | {"made_at": stored.made_at}
                current.profiles.update_or_create(metric=profile.metric, defaults=facts)
        # Also for a report that was there: when it was made by hand, windows before it were still to be looked at.
        follow_up(current, stored)
        if is_due and (current.last_window_end is None or current.last_window_end < window.end):
            current.last_window_end = window.end
            current.save(update_fields=["last_window_end"])
        return stored

    return run_write(work)


_PROFILE_FACTS = ("edges", "counts", "figures", "vectors", "dimension", "n", "missing", "label")
