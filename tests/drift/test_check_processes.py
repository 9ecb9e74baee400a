"""`drift_check --due` in processes of their own: killed at every step, and two at once."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
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

Process = tuple[int, str]
UNDISTURBED: Process = (0, "")
# Each process takes up what the one before it left.
POINTS: tuple[Process, ...] = (
    (2, "drift.checks.measure"),  # a window is looked at, and nothing of it stored
    (4, "drift.checks.follow_up"),  # in the middle of the transaction that reports drift and alerts
    (3, "drift.checks._record"),  # after a commit
    (2, "-drift.checks._give_back"),  # all windows are done, the last monitor is still held
    (1, "drift.deliveries._try"),  # somebody was told, and it is not noted
)


@pytest.fixture
def environment(migrated_template: tuple[Path, str | None], tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of processes that work on a migrated database of their own."""
    copy_data(migrated_template[0], tmp_path / "data")
    with ExitStack() as stack:
        url, admin_url = None, postgres_url()
        if admin_url is not None and migrated_template[1] is not None:
            name = f"drift_{secrets.token_hex(6)}"
            url = create_database(admin_url, name, template=migrated_template[1].rsplit("/", 1)[1])
            stack.callback(drop_database, admin_url, name)
        yield environment_for(tmp_path / "data", url)


def run(environment: dict[str, str], rounds: Sequence[Sequence[Process]]) -> Any:
    arguments = [sys.executable, "-m", "tests.drift.check_fault_point", datetime.now(UTC).isoformat()]
    done = subprocess.run(
        [*arguments, json.dumps(rounds)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def assert_every_window_has_one_report_and_every_alert_was_told(found: Any) -> None:
    for name in MONITORS:
        reports = [row for row in found["reports"] if row[0] == name]
        ends = [end for _, end, _ in reports]
        assert [place for place, row in enumerate(reports) if row[2]] == list(DRIFTING)
        assert len(set(ends)) == len(ends) == WINDOWS
        # Two windows in a row are one alert; each closes with the first window that is well.
        spans = [(ends[4], ends[6]), (ends[9], ends[10])]
        alerts = [tuple(row[1:]) for row in found["alerts"] if row[0] == name]
        assert alerts == [(*span, "drift", "resolved") for span in spans]
        told = [tuple(row[1:]) for row in found["told"] if row[0] == name]
        assert told == [(start, event, "sent") for start, _ in spans for event in ("opened", "resolved")]


def test_killed_anywhere_and_run_again_no_window_and_no_alert_is_lost_or_doubled(environment: dict[str, str]) -> None:
    found = run(environment, [*([point] for point in POINTS), [UNDISTURBED]])

    # What drifted was reported by those that were killed.
    assert found["statuses"] == [*([-signal.SIGKILL] for _ in POINTS), [0]]
    assert_every_window_has_one_report_and_every_alert_was_told(found)


def test_two_processes_at_once_do_the_work_of_one(environment: dict[str, str]) -> None:
    found = run(environment, [[UNDISTURBED, UNDISTURBED], [UNDISTURBED]])

    # One of the two may have found everything taken, and then has nothing to say.
    assert ALERT_STATUS in found["statuses"][0]
    assert set(found["statuses"][0]) <= {0, ALERT_STATUS}
    assert found["statuses"][1] == [0]
    assert_every_window_has_one_report_and_every_alert_was_told(found)
