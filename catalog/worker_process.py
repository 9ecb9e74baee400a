"""One short-lived process for work on what somebody sent: hostile SQL, files of any size and shape.

It gets a clean environment (no secrets), a session of its own, three pipes and nothing else. It ends when it is done,
when its time is over (SIGKILL, with all of its group), and when this process dies: the lifeline is a pipe that nobody
writes to, and the system closes it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from catalog import worker_frames
from catalog.worker_frames import Frame

_ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = {
    "PATH": os.defpath,
    "PYTHONPATH": str(_ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    # Each thread's arena of glibc takes 64 MiB of address space, which is what is limited. With two for all threads,
    # reading a CSV takes 1.6 times as long.
    "MALLOC_ARENA_MAX": "8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


class WorkerProcess:
    """A worker module that runs, within `with`; leaving kills it."""

    def __init__(self, module: str, *, wall_seconds: float) -> None:
        self.is_timed_out = False
        read_end, write_end = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-P", "-m", module, str(read_end)],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(read_end,),
                start_new_session=True,
            )
        except BaseException:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        self._lifeline = write_end
        self._stdin: IO[bytes] = self._process.stdin  # type: ignore[assignment]  # both are pipes
        self._stdout: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        self._timer = threading.Timer(wall_seconds, self._time_is_over)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._kill()
        with suppress(BrokenPipeError):  # what it did not read any more
            self._stdin.close()
        self._stdout.close()
        self._process.wait()
        os.close(self._lifeline)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a worker that has ended is noticed by whoever reads from it."""
        with suppress(BrokenPipeError):
            worker_frames.write_message(self._stdin, message)

    def send_data(self, data: bytes) -> None:
        """Send bytes, likewise."""
        with suppress(BrokenPipeError):
            worker_frames.write_data(self._stdin, data)

    def receive(self) -> Frame | None:
        """Return what the worker says next; None when it has ended."""
        try:
            return worker_frames.read_frame(self._stdout)
        except ValueError:
            return None

    def how_it_ended(self) -> int:
        """Wait for a worker that said nothing more; return its status, negative for the signal that ended it."""
        self._kill()  # it may have closed its pipe and live on
        return self._process.wait()

    def _time_is_over(self) -> None:
        self.is_timed_out = True
        self._kill()

    def _kill(self) -> None:
        # Not yet waited for, so its id is still its own.
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
