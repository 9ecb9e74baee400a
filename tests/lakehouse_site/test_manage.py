from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT, environment_for


def test_a_reader_that_has_seen_enough_is_no_error(data_dir: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "manage.py", "help"],
        cwd=ROOT,
        env=environment_for(data_dir, None),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")
