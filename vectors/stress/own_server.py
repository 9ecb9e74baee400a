"""A server of one's own, on data of its own, in a process of its own that is ended by its id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 30.0
START_ATTEMPTS = 3


class OwnServer:
    """`manage.py serve` on a free port of the loopback address.

    Parameters
    ----------
    folder
        Its data directory; its log is kept there too.
    extra
        Further environment variables. Settings of this process do not reach the server, so that nothing is written
        where something is kept.
    """

    def __init__(self, folder: Path, extra: dict[str, str] | None = None) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LAKEHOUSE_", "AWS_", "DJANGO_")) and name != "DATABASE_URL"
        }
        self.environment = {**inherited, "LAKEHOUSE_DATA_DIR": str(folder), **(extra or {})}
        self.log = folder / "server.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("The server is not running.")
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def migrate(self) -> None:
        """Make the tables."""
        done = self._start("migrate", "--verbosity", "0")
        if done.wait() != 0:
            raise RuntimeError(f"manage.py migrate failed:\n{self.log.read_text(errors='replace')}")

    def start(self) -> int:
        """Start, wait until /health answers, return the port."""
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = _free_port()
            self._process = self._start("serve", "--quiet", "--bind", f"127.0.0.1:{self.port}")
            try:
                self._wait_until_healthy(self._process)
                return self.port
            except RuntimeError:
                self.stop()
                # Somebody may have taken the port meanwhile.
                if attempt == START_ATTEMPTS or "in use" not in self.log.read_text(errors="replace"):
                    raise
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """End it in good order if it lets itself, else by force."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        # Its worker belongs to its group, and ends with it whatever has happened.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, str(ROOT / "manage.py"), *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: Ctrl-C is for the caller, who then ends the server in order.
                start_new_session=True,
            )

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"The server ended:\n{self.log.read_text(errors='replace')[-2_000:]}")
            if self._is_healthy():
                return
            time.sleep(0.01)
        raise RuntimeError(f"No answer from /health in {START_SECONDS:.0f} s.")

    def _is_healthy(self) -> bool:
        link = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET", "/health")
            return link.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            link.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
