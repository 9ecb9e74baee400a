"""`manage.py` that kills itself at a named point of a check: ``python -m … COUNT POINT drift_check --due``.

Points are those of `tests.distillation.export_fault_point`; COUNT 0 kills nothing. Two commands more: ``prepare NOW``
stores runs and monitors, ``dump`` prints what was found and who was told, after sending what a killed process held.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta

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


def dump() -> None:
    from django.utils import timezone

    from drift.deliveries import CLAIM_SECONDS, send_due
    from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport

    send_due(now=timezone.now() + timedelta(seconds=CLAIM_SECONDS + 1))
    by_window = ("monitor__name", "window_end", "verdict", "is_drift", "n_current", "attempts")
    alerts = ("monitor__name", "kind", "state", "first_report__window_end", "last_report__window_end")
    told = ("alert__monitor__name", "alert__first_report__window_end", "event", "state")
    found = {
        "reports": list(DriftReport.objects.order_by(*by_window[:2]).values_list(*by_window)),
        "alerts": list(DriftAlert.objects.order_by("monitor__name", "opened_at").values_list(*alerts)),
        "told": list(DriftDelivery.objects.order_by(*told).values_list(*told)),
        "leases": list(DriftMonitor.objects.exclude(leased_by="").values_list("name")),
    }
    sys.stdout.write(json.dumps(found, default=str))


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    count, point, *command = sys.argv[1:]
    if command[0] == "prepare":
        prepare(datetime.fromisoformat(command[1]))
    elif command[0] == "dump":
        dump()
    else:
        if int(count):
            arm(point, int(count))
        execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
