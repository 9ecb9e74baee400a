"""Real Lakehouse servers in processes of their own, and commands against the same data.

Every server leads its own process group, so ending it ends its workers too and nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.ports import free_port, is_listening

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
COMMAND_TIMEOUT_SECONDS = 300.0
POLL_SECONDS = 0.02
START_ATTEMPTS = 3
# Servers of the tests speak plain HTTP; by default every httpx client reads the certificates of all authorities, 20 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def environment_for(data_dir: Path, database_url: str | None, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process that works on this data and knows no other settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        # What the suite set for its own process must not leak: not its data, not pytest's settings.
        if not name.startswith(("LAKEHOUSE_", "AWS_", "PYTEST_", "DJANGO_")) and name != "DATABASE_URL"
    }
    environment["LAKEHOUSE_DATA_DIR"] = str(data_dir)
    environment["PYTHONUNBUFFERED"] = "1"
    environment["LAKEHOUSE_WORKER"] = "0"  # a second process for each server; who needs it says so
    environment["LAKEHOUSE_LAKE_EXPORTS"] = "0"  # likewise
    if database_url is not None:
        environment["DATABASE_URL"] = database_url
    return environment | (extra or {})


def run_manage(
    *arguments: str, environment: dict[str, str], check: bool = True, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end; with `check`, anything but exit status 0 raises with its output."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=ROOT,
        env=environment,
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def start_manage(*arguments: str, environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
    """Start a management command in its own process group, its output going to a file."""
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def end_group(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    """Send a signal to the group that `process` leads and wait for the leader."""
    # The leader may be gone while its workers are not, so the group is signalled in any case.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sign)
    process.wait(STOP_TIMEOUT_SECONDS)


class Server:
    """`manage.py serve` on a free port of the loopback address."""

    def __init__(self, data_dir: Path, database_url: str | None, extra: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.database_url = database_url
        self.extra = extra or {}
        self.environment = environment_for(data_dir, database_url, extra)
        self.log_path = data_dir / "server.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until /health answers. A port that was taken meanwhile is replaced by another."""
        if self.process is not None:
            raise RuntimeError("The server is running.")
        for attempt in range(1, START_ATTEMPTS + 1):
            self.process = start_manage(
                "serve", "--bind", f"127.0.0.1:{self.port}", environment=self.environment, log_path=self.log_path
            )
            try:
                self._wait_until_healthy(self.process)
                return
            except RuntimeError:
                self.kill()
                if attempt == START_ATTEMPTS or "in use" not in self.log().lower():
                    raise
                self.port = free_port()

    def stop(self) -> int:
        """Ask for an orderly end, return the exit status."""
        process = self._running()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        finally:
            self.kill()
        return process.returncode

    def kill(self) -> None:
        """Kill the server and its workers with SIGKILL; wait until nobody listens any more."""
        if self.process is None:
            return
        end_group(self.process, signal.SIGKILL)
        self.process = None
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while is_listening(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Port {self.port} is still served after SIGKILL.")
            time.sleep(POLL_SECONDS)

    def restart(self) -> None:
        """Start anew on the same data and port, after an orderly end if it still runs."""
        if self.process is not None:
            self.stop()
        self.start()

    def manage(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a management command on the same data."""
        return run_manage(*arguments, environment=self.environment, check=check, stdin=stdin)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("The server is not running.")
        return self.process

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"The server ended with {process.returncode}:\n{self.log()}")
            try:
                if httpx.get(self.base_url + "/health", timeout=5, trust_env=False, verify=NO_TLS).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"No answer from /health in {START_TIMEOUT_SECONDS:.0f} s:\n{self.log()}")


def copy_data(template: Path, destination: Path) -> None:
    """Make `destination` a copy of a migrated, idle data directory."""
    shutil.copytree(template, destination, dirs_exist_ok=True)
