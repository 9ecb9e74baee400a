"""Writers append while snapshots expire, files are compacted and orphans deleted: no table loses anything it needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections
from pyiceberg.exceptions import CommitFailedException, ValidationException

from catalog.callers import SYSTEM
from catalog.compaction import compact_table
from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.fsck import check_warehouse
from catalog.models import Warehouse
from catalog.orphans import MIN_AGE, remove_orphans
from tests.catalog.lake import age, append, expire, ids_of, make_table, needed, plant, row_of, stored

pytestmark = pytest.mark.slow

APPENDS = 8
WRITERS = 3
TABLES = ("t", "u")
WAIT_SECONDS = 300
# With no grace at all, what a client builds on may be gone before it commits: it is refused and has to load again.
REFUSALS = (CommitFailedException, ValidationException, BadCatalogRequest, FileNotFoundError)


class Threads:
    """Threads whose errors are told in the end."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  whatever it is, the test has to tell it
                self.errors.append(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


def write(warehouse: Warehouse, first: int) -> None:
    for number in range(first, first + APPENDS):
        for name in TABLES:
            while True:
                try:
                    append(warehouse, number, name=name)
                    break
                except REFUSALS:
                    continue


def maintain(warehouse: Warehouse, done: threading.Event, counts: dict[str, int]) -> None:
    """Expire, compact and collect with the shortest times they take, and let what is committed look old."""
    rounds = 0
    while not done.is_set() or rounds < 2:
        rounds += 1
        for name in TABLES:
            try:
                compact_table(relation=row_of(name), min_files=2, caller=SYSTEM)
                counts["compacted"] += 1
            except (CommitFailed, BadCatalogRequest):  # its files are gone while it reads: nothing was replaced
                pass
            expired = expire(name)
            assert expired.removal.errors == []
            counts["expired"] += expired.removal.files
        age(needed_now(warehouse), hours=2)
        plant(warehouse, f"lost/{rounds}.parquet", hours=2)
        removal = remove_orphans(warehouse=warehouse, older_than=MIN_AGE, is_dry_run=False)
        assert removal.errors == []
        counts["orphans"] += removal.files


def needed_now(warehouse: Warehouse) -> set[str]:
    return needed(warehouse) & stored(warehouse)


def test_whatever_runs_beside_the_writers_every_table_is_whole(warehouse: Warehouse) -> None:
    for name in TABLES:
        make_table(warehouse, name)
    threads, done = Threads(), threading.Event()
    counts = {"compacted": 0, "expired": 0, "orphans": 0}
    writers = [threads.start(lambda first=1000 * i: write(warehouse, first)) for i in range(WRITERS)]  # type: ignore[misc]
    keeper = threads.start(lambda: maintain(warehouse, done, counts))
    deadline = time.monotonic() + WAIT_SECONDS
    for writer in writers:
        writer.join(max(0.0, deadline - time.monotonic()))
    done.set()
    keeper.join(WAIT_SECONDS)

    assert threads.errors == []
    assert all(counts.values()), counts
    expected = sorted(1000 * i + number for i in range(WRITERS) for number in range(APPENDS))
    for name in TABLES:
        assert ids_of(warehouse, name) == expected
    assert check_warehouse(warehouse=warehouse).faults == []
