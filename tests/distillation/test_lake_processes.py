"""Runs and exports into tables by processes that are killed anywhere, and by several at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.processes import COMMAND_TIMEOUT_SECONDS, ROOT, Server

KILLED = -signal.SIGKILL
DATA_WRITTEN = [1, "catalog.own_files.save_file"]
COMMITTING = [1, "-catalog.appends.commit_tables"]
COMMITTED = [1, "catalog.own_tables.append_files"]
UNHARMED = [0, ""]
STEPS: list[list[Any]] = [
    ["add", 0, 20],
    ["run", "lake_runs", [DATA_WRITTEN]],
    ["run", "lake_runs", [COMMITTING]],
    ["run", "lake_runs", [COMMITTED]],
    ["run", "lake_runs", [UNHARMED]],
    ["add", 20, 20],
    ["run", "lake_runs", [UNHARMED, UNHARMED, DATA_WRITTEN]],
    ["export"],
    ["run", "lake_exports", [[2, COMMITTING[1]]]],  # the first commit is that of the table of exports
    ["run", "lake_exports", [COMMITTED]],
    ["add", 40, 20],
    ["export"],
    ["run", "lake_exports", [UNHARMED, UNHARMED]],
    ["run", "lake_runs", [UNHARMED]],
]


@pytest.mark.slow
def test_every_row_is_there_once_whoever_was_killed(idle_server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.distillation.lake_rounds", json.dumps(STEPS)],
        cwd=ROOT,
        env=idle_server.environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    statuses = [status for (kind, *_), status in zip(STEPS, found["statuses"], strict=True) if kind == "run"]
    prepared = [status for (kind, *_), status in zip(STEPS, found["statuses"], strict=True) if kind != "run"]
    assert prepared == [[0]] * 5
    assert statuses[:4] == [[KILLED], [KILLED], [KILLED], [0]]
    # Of three at once, the one that was to die may have found everything done.
    assert statuses[4] in ([0, 0, KILLED], [0, 0, 0])
    assert statuses[5:] == [[KILLED], [KILLED], [0, 0], [0]]
    in_table, in_database = found["runs"]
    assert in_table == in_database
    assert len(in_table) == 60
    in_table, in_database = found["decisions"]
    assert in_table == in_database
    assert len(in_table) == 40 + 60
    assert found["snapshots"] == [3, 2]
    assert found["orphans"] >= 2  # of those that were killed before they had committed
