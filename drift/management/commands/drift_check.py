from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from drift.checks import check_due, check_monitor
from drift.deliveries import send_due
from drift.management.base import DriftCommand
from drift.models import DriftReport
from drift.monitors import describe_report, find_monitor


class Command(DriftCommand):
    help = (
        "Look whether what monitors watch has drifted, then send the alerts that are due. --due is for a timer: every "
        "window that is over and not done, safe to run twice at once. Exit status: 0 nothing drifted, 3 something did, "
        "1 a check failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("monitor", metavar="MONITOR", nargs="?", help="name or id: look at its latest window now")
        parser.add_argument("--due", action="store_true", help="all monitors, all windows that are due")

    def look(self, **options: Any) -> bool:
        if bool(options["monitor"]) == options["due"]:
            raise CommandError("Name a monitor, or use --due for all of them.")
        if options["due"]:
            done = check_due()
            reports, left_out, busy = done.reports, done.left_out, done.busy
        else:
            monitor = find_monitor(name=options["monitor"])
            reports, left_out, busy = (check_monitor(monitor_id=str(monitor.pk)),), 0, ()
        # After the looking: a mail server that hangs must not keep a window from being looked at.
        sent = send_due()
        lines = [_line(report) for report in reports]
        lines += [f"{name}: another process is at it" for name in busy]
        if left_out:
            lines.append(f"{left_out} windows were too old to be made up for and left out.")
        lines.append(f"{len(reports)} windows looked at, {sent.sent} messages sent, {sent.failed} to be tried again.")
        result = {
            "reports": [describe_report(report) for report in reports],
            "left_out": left_out,
            "busy": list(busy),
            "sent": sent.sent,
            "failed": sent.failed,
        }
        self.answer(result, "\n".join(lines), as_json=options["as_json"])
        if failed := [report.monitor.name for report in reports if report.verdict == report.Verdict.ERROR]:
            raise CommandError(f"Checks failed: {', '.join(sorted(set(failed)))}.")
        return any(report.is_drift for report in reports)


def _line(report: DriftReport) -> str:
    word = f"{report.verdict}  DRIFT" if report.is_drift else report.verdict
    counts = f"n {report.n_reference} / {report.n_current}"
    return f"{report.monitor.name}  {report.window_end:%Y-%m-%d %H:%M}  {word}  {counts}  {report.error}".rstrip()
