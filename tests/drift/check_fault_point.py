"""Rounds of `drift_check --due`, each in a process of its own, which may kill itself: ``python -m … NOW ROUNDS``.

ROUNDS is JSON: a list of rounds, each a list of ``[COUNT, POINT]``, one for each of the processes that run at once.
Points are those of `tests.distillation.export_fault_point`; COUNT 0 kills nothing. What is printed is JSON too: the
exit status of every process, what was found, and who was told after sending what a killed process held.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.distillation.export_fault_point import arm

WINDOWS = 12
DRIFTING = (4, 5, 9)
MONITORS = ("a", "b")


def prepare(now: datetime) -> None:
    from tests.drift.runs import add_runs, make_monitor

    # The last window ended half a day before now, so none ends while the test runs.
    first = now - timedelta(days=WINDOWS - 0.5)
    for number in range(-4, WINDOWS):
        scores = [0.8, 0.9] * 50 if number in DRIFTING else [0.1, 0.2] * 50
        add_runs(scores, first + timedelta(days=number - 1))
    for name in MONITORS:
        make_monitor(
            name=name,
            reference="fixed",
            reference_start=(first - timedelta(days=4)).isoformat(),
            reference_end=(first - timedelta(days=1)).isoformat(),
            first_window_end=first.isoformat(),
        )


def check(count: int, point: str) -> None:
    from django.core.management import call_command

    if count:
        arm(point, count)
    call_command("drift_check", "--due")


def in_a_process(work: Callable[[], None]) -> int:
    """Start a process; return its id. It shares nothing: this one has no connection to the database yet."""
    if child := os.fork():
        return child
    status = 1
    try:
        os.dup2(2, 1)
        work()
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:  # noqa: BLE001  it must not go on as its parent
        traceback.print_exc()
    os._exit(status)


def status_of(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def found() -> dict[str, Any]:
    from django.utils import timezone

    from drift.deliveries import CLAIM_SECONDS, send_due
    from drift.models import DriftAlert, DriftDelivery, DriftReport

    send_due(now=timezone.now() + timedelta(seconds=CLAIM_SECONDS + 1))
    alerts = ("monitor__name", "first_report__window_end", "last_report__window_end", "kind", "state")
    told = ("alert__monitor__name", "alert__first_report__window_end", "event", "state")
    return {
        "reports": list(
            DriftReport.objects.order_by("window_end").values_list("monitor__name", "window_end", "is_drift")
        ),
        "alerts": list(DriftAlert.objects.order_by(*alerts).values_list(*alerts)),
        "told": list(DriftDelivery.objects.order_by(*told).values_list(*told)),
    }


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    now, rounds = datetime.fromisoformat(sys.argv[1]), json.loads(sys.argv[2])
    if status_of(in_a_process(lambda: prepare(now))):
        sys.exit("The data could not be prepared.")
    statuses = []
    for places in rounds:
        started = [in_a_process(lambda place=place: check(*place)) for place in places]  # type: ignore[misc]
        statuses.append([status_of(process) for process in started])
    sys.stdout.write(json.dumps({"statuses": statuses, **found()}, default=str))


if __name__ == "__main__":
    main()
