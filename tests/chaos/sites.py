"""One installation to do harm to: its processes, what it stores, and the points it dies at."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from tests.chaos.objects import Objects
from tests.ports import free_port
from tests.processes import NO_TLS, ROOT, START_ATTEMPTS, Server, end_group, environment_for, run_manage

WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """What the database says of a snapshot."""

    index_id: str
    seq: int
    object_name: str
    size_bytes: int
    sha256: str
    status: str


class ChaosServer(Server):
    """A server whose process is started by `tests.chaos.fault_point`: with small graphs, and points to die at."""

    def __init__(self, site: Site, environment: dict[str, str]) -> None:
        super().__init__(site.folder, site.database_url, environment)
        self._prefix = site.wrapper

    def start(self) -> None:
        """Start and wait until /health answers; each time on another port."""
        if self.process is not None:
            raise RuntimeError("The server is running.")
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = free_port()
            arguments = [*self._prefix, "serve", "--bind", f"127.0.0.1:{self.port}"]
            self.process = _popen(arguments, self.environment, self.log_path)
            try:
                self._wait_until_healthy(self.process)
                return
            except RuntimeError:
                self.kill()
                if attempt == START_ATTEMPTS or "in use" not in self.log().lower():
                    raise

    def client(self) -> httpx.Client:
        """Open a client; whoever asks closes it."""
        return httpx.Client(
            base_url=self.base_url + "/v1/vectors/", timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS
        )

    def wait_for_death(self, seconds: float) -> bool:
        """Return whether the server has ended by itself within this time."""
        deadline = time.monotonic() + seconds
        process = self._running()
        while process.poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True


class Site:
    """One installation. `wrapper` is what comes before the arguments of `manage.py`."""

    def __init__(self, folder: Path, database_url: str | None, objects: Objects, min_items: int | None) -> None:
        self.folder = folder
        self.database_url = database_url
        self.objects = objects
        self.fault_file = folder / "fault"
        graphs = "-" if min_items is None else str(min_items)
        self.wrapper = [sys.executable, "-m", "tests.chaos.fault_point", graphs, str(self.fault_file)]

    @property
    def environment(self) -> dict[str, str]:
        """Settings of this site's processes; without maintenance of their own, so that steps are those of the test."""
        return {"LAKEHOUSE_MAINTENANCE_SECONDS": "0"} | self.objects.environment

    @contextmanager
    def server(self, **environment: str) -> Iterator[ChaosServer]:
        """Run a server; it is killed in the end."""
        server = ChaosServer(self, self.environment | environment)
        try:
            server.start()
            yield server
        finally:
            server.kill()

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command as it is, without small graphs."""
        return run_manage(*arguments, environment=self.whole_environment(), check=check)

    def wrapped(self, *arguments: str) -> int:
        """Run a management command with small graphs and fault points; return its exit status."""
        process = _popen([*self.wrapper, *arguments], self.whole_environment(), self.folder / "command.log")
        try:
            return process.wait(WAIT_SECONDS)
        finally:
            end_group(process, signal.SIGKILL)

    def arm(self, point: str, count: int = 1) -> None:
        """From now on, a process of this site that passes this point for the `count`-th time kills itself."""
        part = self.fault_file.with_suffix(".part")
        part.write_text(f"{count} {point}")
        part.replace(self.fault_file)

    def disarm(self) -> None:
        self.fault_file.unlink(missing_ok=True)

    def snapshot_rows(self) -> list[SnapshotRow]:
        """Return what the database says of all snapshots."""
        statement = "SELECT index_id, seq, object_name, size_bytes, sha256, status FROM vectors_snapshot ORDER BY id"
        if self.database_url is None:
            with closing(sqlite3.connect(self.folder / "lakehouse.sqlite3")) as database:
                found = database.execute(statement).fetchall()
        else:
            with psycopg.connect(self.database_url) as connection:
                found = connection.execute(statement.encode()).fetchall()
        return [SnapshotRow(str(row[0]).replace("-", ""), *row[1:]) for row in found]

    def whole_environment(self) -> dict[str, str]:
        """Return the environment of a process on this site's data."""
        return environment_for(self.folder, self.database_url, self.environment)


def _popen(arguments: list[str], environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("ab") as log:
        return subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def processes_of(server: Server) -> list[int]:
    """Return the processes of the group that the server leads."""
    if server.process is None:
        return []
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == server.process.pid:
            found.append(int(stat.parent.name))
    return found
