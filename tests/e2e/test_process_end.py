"""A process may end at any time, also while its background thread builds a graph."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT, Server

SCRIPT = """
import sys, time
import django
django.setup()
import numpy as np
from tests.factories import add_rows, make_index, random_rows
from vectors import indexes
from vectors import replicas as module
from vectors.replicas import replicas
module.BUSY_SECONDS = -1  # build without pauses
if sys.argv[1] == "0":
    make_index(dimension=64)
    add_rows("docs", random_rows(20_000, 64))
graph = replicas.current(indexes.index_state(name="docs"))
deadline = time.monotonic() + 60
while graph.waiting_rows > 19_500 and time.monotonic() < deadline:
    time.sleep(0.001)
print("building", 0 < graph.waiting_rows < 20_000)
"""


@pytest.mark.slow
def test_a_process_that_ends_while_a_graph_is_built_ends_in_good_order(server: Server) -> None:
    environment = server.environment | {"DJANGO_SETTINGS_MODULE": "lakehouse_site.settings", "PYTHONPATH": str(ROOT)}
    for turn in range(4):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(turn)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

        assert (done.returncode, done.stdout) == (0, "building True\n"), done.stderr
