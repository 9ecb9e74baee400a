"""`drift_check --due` in processes of their own: killed at every step, and two at once."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drift.management.base import ALERT_STATUS
from tests.drift.check_fault_point import DRIFTING, MONITORS, WINDOWS
from tests.environment import postgres_url
from tests.postgres import create_database, drop_database
from tests.processes import COMMAND_TIMEOUT_SECONDS, ROOT, copy_data, environment_for

pytestmark = pytest.mark.slow

CHECK = ("drift_check", "--due")
# Each process takes up what the one before it left.
POINTS = (
    (2, "drift.checks.measure"),  # a window is looked at, and nothing of it stored
    (4, "drift.checks.follow_up"),  # in the middle of the transaction of the fourth window, which drifted
    (3, "drift.checks._record"),  # after a commit
    (2, "-drift.checks._give_back"),  # all windows are done, the last monitor is still held
    (1, "drift.deliveries._try"),  # somebody was told, and it is not noted
)


class Place:
    """A migrated database with runs and monitors, worked on by commands."""

    def __init__(self, template: tuple[Path, str | None], folder: Path, stack: ExitStack) -> None:
        copy_data(template[0], folder)
        url, admin_url = None, postgres_url()
        if admin_url is not None and template[1] is not None:
            name = f"drift_{secrets.token_hex(6)}"
            url = create_database(admin_url, name, template=template[1].rsplit("/", 1)[1])
            stack.callback(drop_database, admin_url, name)
        self.environment = environment_for(folder, url)
        assert self.end(self.start("prepare", datetime.now(UTC).isoformat())) == (0, "")

    def start(self, *command: str, count: int = 0, point: str = "none") -> subprocess.Popen[str]:
        arguments = [sys.executable, "-m", "tests.drift.check_fault_point", str(count), point, *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(arguments, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        output, errors = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        assert "Traceback" not in errors, errors
        return process.returncode, output

    def dump(self) -> Any:
        status, output = self.end(self.start("dump"))
        assert status == 0
        return json.loads(output)


@pytest.fixture
def place(migrated_template: tuple[Path, str | None], tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(migrated_template, tmp_path / "data", stack)


def assert_every_window_has_one_report_and_every_alert_was_told(found: Any) -> None:
    for name in MONITORS:
        reports = [row for row in found["reports"] if row[0] == name]
        assert [place for place, row in enumerate(reports) if row[3]] == list(DRIFTING)
        assert len({row[1] for row in reports}) == len(reports) == WINDOWS
        ends = [row[1] for row in reports]
        # Two windows in a row are one alert; each closes with the first window that is well.
        expected = [(ends[4], ends[6]), (ends[9], ends[10])]
        assert [tuple(row[3:]) for row in found["alerts"] if row[0] == name] == expected
        told = [tuple(row[1:]) for row in found["told"] if row[0] == name]
        assert told == [(start, event, "sent") for start, _ in expected for event in ("opened", "resolved")]
    assert found["leases"] == []


def test_killed_anywhere_and_run_again_no_window_and_no_alert_is_lost_or_doubled(place: Place) -> None:
    for count, point in POINTS:
        status, _ = place.end(place.start(*CHECK, count=count, point=point))
        assert status == -signal.SIGKILL, point

    status, output = place.end(place.start(*CHECK))

    assert status == 0, output  # what drifted was reported by those that were killed
    assert_every_window_has_one_report_and_every_alert_was_told(place.dump())


def test_two_processes_at_once_do_the_work_of_one(place: Place) -> None:
    processes = [place.start(*CHECK) for _ in range(2)]
    statuses = {place.end(process)[0] for process in processes}

    # One that found everything taken has nothing to say.
    assert ALERT_STATUS in statuses
    assert statuses <= {0, ALERT_STATUS}
    assert_every_window_has_one_report_and_every_alert_was_told(place.dump())
