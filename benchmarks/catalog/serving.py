"""The servers that are measured: `manage.py serve` on SQLite and on a Postgres of our own, both durable."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest.mock import patch

from benchmarks.catalog.data import write_manifest_lists
from benchmarks.catalog.tables import make_namespace
from benchmarks.children import family
from benchmarks.contenders.pgvector import DURABLE
from benchmarks.environments import Unavailable
from vectors.stress.own_server import OwnServer

DATABASES: Final = ("SQLite", "Postgres")
MANIFEST_LISTS: Final = 256
_HIGH_WATER: Final = "VmHWM"


@dataclass(frozen=True, slots=True)
class Bench:
    """A running server and what its clients need.

    Attributes
    ----------
    environment
        Of the server's process; commands that run in it work on the same data.
    folder
        For what is written beside the server's data.
    lists
        Locations of manifest lists, one for each snapshot that is going to be added.
    """

    database: str
    port: int
    pid: int
    environment: dict[str, str]
    folder: Path
    lists: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(database: str, folder: Path, stack: ExitStack) -> Bench:
    """Start a server on new data.

    Raises
    ------
    Unavailable
        There is no Postgres here.
    """
    folder.mkdir()
    extra = {"DATABASE_URL": _postgres(stack)} if database == "Postgres" else {}
    server = OwnServer(folder, extra)
    stack.callback(server.stop)
    server.migrate()
    make_namespace(server.start())
    lists = write_manifest_lists(folder / "objects" / "warehouse" / "prepared", MANIFEST_LISTS)
    return Bench(database, server.port, server.pid, server.environment, folder, lists)


def _postgres(stack: ExitStack) -> str:
    try:
        from tests import postgres
    except ImportError as error:
        raise Unavailable(f"{error}; make install-dev installs it") from None
    # The tests' server does without durability, and so without most of what a commit costs.
    stack.enter_context(patch.dict(postgres.OPTIONS, DURABLE))
    try:
        server = stack.enter_context(postgres.run_postgres())
    except RuntimeError as error:
        raise Unavailable(str(error).splitlines()[0]) from None
    return postgres.create_database(server.url("postgres"), "bench")


@dataclass(slots=True)
class Memory:
    """The most memory in MiB that processes had at once, by what stands in their command lines."""

    peaks: dict[str, float] = field(default_factory=dict)


@contextmanager
def peak_memory(pid: int, **parts: str) -> Iterator[Memory]:
    """Watch a process and those below it within `with`; `parts` names the processes by a word of their command."""
    found = Memory(dict.fromkeys(parts, 0.0))
    for one in family(pid):
        with suppress(OSError):  # its high water counts from here on
            Path(f"/proc/{one}/clear_refs").write_text("5")
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            look()

    def look() -> None:
        for one in family(pid):
            with suppress(OSError, ValueError, StopIteration):
                command = Path(f"/proc/{one}/cmdline").read_bytes().decode(errors="replace")
                name = next((name for name, word in parts.items() if word in command), None)
                if name is not None:
                    found.peaks[name] = max(found.peaks[name], _high_water(one))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        look()
        is_over.set()
        watcher.join()


def _high_water(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(_HIGH_WATER)).split()[1]) / 1024


def sync_ms(folder: Path) -> float:
    """Return the median time in ms of writing 4 KiB durably: what every commit pays at least twice."""
    took = []
    with (folder / "synced").open("wb") as file:
        for _ in range(20):
            started = time.perf_counter()
            file.write(bytes(4_096))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    return statistics.median(took) * 1_000
