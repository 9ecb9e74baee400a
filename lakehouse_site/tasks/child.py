"""The worker that `manage.py serve` has beside it: a process of its own, begun anew when it dies."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

from django.conf import settings

logger = logging.getLogger(__name__)

START_SECONDS = 1.0
"""The web server goes first: both load for about a second."""

MAX_WAIT_SECONDS = 60.0
STOP_SECONDS = 12.0
"""More than a worker takes at the most to end by itself."""


class WorkerChild:
    """Starts a worker in the background and ends it with the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, without waiting for it."""
        threading.Thread(target=self._run, name="worker-child", daemon=True).start()

    def stop(self) -> None:
        """End the worker and wait for it."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its task is begun anew by the next one
            process.wait()

    def _run(self) -> None:
        wait_seconds = START_SECONDS
        while not self._stopping.wait(wait_seconds):
            started = time.monotonic()
            process = self._spawn()
            if process is None:
                return
            status = process.wait()
            if self._stopping.is_set():
                return
            is_steady = time.monotonic() - started > MAX_WAIT_SECONDS
            wait_seconds = START_SECONDS if is_steady else min(MAX_WAIT_SECONDS, 2 * wait_seconds)
            logger.warning(
                "worker ended, another one is started", extra={"status": status, "wait_seconds": wait_seconds}
            )

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        manage = str(settings.BASE_DIR / "manage.py")
        command = [sys.executable, manage, "worker", "--parent", str(os.getpid())]
        with self._lock:
            if not self._stopping.is_set():
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
                return self._process
        return None
