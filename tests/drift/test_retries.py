"""What becomes of windows whose check failed, and of monitors whose checker was killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drift import checks
from drift.checks import MAX_ATTEMPTS, check_due
from drift.looks import measure
from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport
from tests.drift.runs import add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)


class Breaking:
    """Stands in for the look at a window: fails while it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_broken = True
        self.looked_at: list[object] = []
        self._look = measure
        monkeypatch.setattr(checks, "measure", self)

    def __call__(self, monitor: Any, window: Any) -> Any:
        self.looked_at.append(window.end)
        if self.is_broken:
            raise OSError("the disk is on fire")
        return self._look(monitor, window)


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    return Breaking(monkeypatch)


def days_of_runs(count: int) -> None:
    for number in range(count):
        add_runs([0.1, 0.2, 0.3, 0.4] * 50, day(number))


def test_a_window_that_failed_is_looked_at_again_by_the_next_round(breaking: Breaking) -> None:
    make_monitor()
    days_of_runs(4)
    (failed,) = check_due(now=day(4)).reports
    breaking.is_broken = False

    (again,) = check_due(now=day(4)).reports
    none = check_due(now=day(4)).reports

    assert (failed.verdict, again.verdict, again.pk) == ("error", "stable", failed.pk)
    assert none == ()
    stored = DriftReport.objects.get()
    assert (stored.verdict, stored.error, stored.attempts) == ("stable", "", 2)
    assert list(DriftAlert.objects.values_list("kind", "state")) == [("error", "resolved")]
    assert DriftDelivery.objects.count() == 2  # that it failed, and that it is well again


def test_what_stays_broken_is_tried_less_and_less_often_and_then_given_up(breaking: Breaking) -> None:
    make_monitor()
    check_due(now=day(4))
    check_due(now=day(4))
    too_early = check_due(now=day(4)).reports

    for _ in range(2 * MAX_ATTEMPTS):
        DriftReport.objects.update(made_at=timezone.now() - timedelta(days=1))
        check_due(now=day(4))

    assert too_early == ()
    assert len(breaking.looked_at) == DriftReport.objects.get().attempts == MAX_ATTEMPTS
    assert (DriftAlert.objects.count(), DriftDelivery.objects.count()) == (1, 1)


def test_a_window_that_failed_is_looked_at_before_the_next_one(breaking: Breaking) -> None:
    make_monitor()
    days_of_runs(5)
    check_due(now=day(4))
    check_due(now=day(4))
    breaking.is_broken = False

    check_due(now=day(5))

    assert breaking.looked_at == [day(4), day(4), day(4), day(5)]
    assert set(DriftReport.objects.values_list("verdict", flat=True)) == {"stable"}


def test_of_what_has_no_past_only_the_last_window_is_tried_again(breaking: Breaking) -> None:
    make_monitor(target="export_figures", selection={"kind": "sft"}, reference="previous")
    check_due(now=day(4))
    check_due(now=day(4))
    check_due(now=day(5))

    assert breaking.looked_at == [day(4), day(4), day(5)]


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("host", "pid", "is_free"),
    [(socket.gethostname(), None, True), (socket.gethostname(), os.getpid(), False), ("elsewhere.", None, False)],
    ids=["killed here", "alive here", "elsewhere"],  # not the ids of processes: every worker has another one
)
def test_a_monitor_whose_checker_was_killed_here_is_free_at_once(host: str, pid: int | None, is_free: bool) -> None:
    monitor = make_monitor()
    assert checks._take(monitor, f"{host}:{pid or ended_process()}:abcd")

    done = check_due(now=day(4))

    assert (len(done.reports), done.busy) == ((1, ()) if is_free else (0, ("watch",)))
    assert (DriftMonitor.objects.get().leased_by == "") == is_free
