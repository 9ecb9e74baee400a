from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog import worker_frames
from catalog.worker_process import WorkerProcess
from tests.processes import ROOT

FOREVER = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
JOB = {"sql": FOREVER, "limit": 1, "format": "json", "memory_mb": 128, "seconds": 100, "max_bytes": 1000}
ORPHAN = f"""
import os, sys
from catalog.worker_process import WorkerProcess
worker = WorkerProcess("catalog.query_worker", wall_seconds=100)
worker.send({JOB!r})
print(worker.receive().message["kind"], worker.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state[0] != "Z"


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline:
        os.sched_yield()
        time.sleep(0.02)
    return not is_running(pid)


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    """Also in the middle of a query, and when that process was killed."""
    done = subprocess.run([sys.executable, "-c", ORPHAN], cwd=ROOT, capture_output=True, text=True, timeout=60)
    kind, pid = done.stdout.split()

    assert (done.returncode, kind) == (-9, "tables")
    assert ends(int(pid))


def test_a_worker_has_no_secrets_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_SECRET_KEY", "a secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with WorkerProcess("catalog.query_worker", wall_seconds=60) as worker:
        worker.send(JOB)
        frame = worker.receive()
        names = {text.partition("=")[0] for text in Path(f"/proc/{worker.pid}/environ").read_text().split("\0") if text}
        limits = Path(f"/proc/{worker.pid}/limits").read_text()
        files = {os.readlink(f"/proc/{worker.pid}/fd/{number}") for number in os.listdir(f"/proc/{worker.pid}/fd")}

    assert frame is not None
    assert not {name for name in names if name.startswith(("LAKEHOUSE", "AWS", "DATABASE", "DJANGO"))}
    assert "Max file size             0 " in limits
    assert "Max core file size        0 " in limits
    assert all(name.startswith(("pipe:", "/dev/null", "anon_inode:")) for name in files), files
    assert ends(worker.pid)


def test_a_worker_is_killed_when_its_time_is_over() -> None:
    with WorkerProcess("catalog.query_worker", wall_seconds=0.5) as worker:
        worker.send(JOB)
        while worker.receive() is not None:
            pass

        assert (worker.is_timed_out, worker.how_it_ended()) == (True, -9)


@pytest.mark.parametrize("sent", [b"", b"M", b"M\x00\x00\x00\x05[", b"D\x00\x00\x00\x02x"])
def test_a_frame_that_ends_early_is_none(sent: bytes) -> None:
    assert worker_frames.read_frame(io.BytesIO(sent)) is None


@pytest.mark.parametrize(
    "sent", [b"X\x00\x00\x00\x01x", b"M\x00\x00\x00\x01x", b"M\x00\x00\x00\x02[]", b"D\xff\xff\xff\xffx"]
)
def test_what_is_no_frame_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        worker_frames.read_frame(io.BytesIO(sent))
